# What the machine must have: Node, and Debian's packages for Docker, etcd and the images.
# shellcheck shell=bash

NODE_WANTED='20.20'

has_node() {
  local version=missing
  has_command node && version=$(node --version) && version=${version#v}
  if [[ $(printf '%s\n' "$NODE_WANTED" "$version" | sort -V | head -n 1) == "$NODE_WANTED" && $version != missing ]]; then
    echo "$version"
  else
    echo "$version, but $NODE_WANTED or later is wanted"
    return 1
  fi
}

# How Node is installed is the user's choice, and this very script may have been started by npm.
name_node() { to_type 'nvm install 20    # or Node 20.20 or later by any other way'; }

# Debian's package for each thing that is not there, one per line.
missing_packages() {
  # An engine elsewhere is no help: containers of a node run on the node. The client may be there without the engine.
  has_command dockerd || has_engine >/dev/null || echo docker.io
  has_command docker || docker_client_package
  has_command docker-compose || docker compose version >/dev/null 2>&1 || echo docker-compose
  has_command iptables || echo iptables
  has_command etcd || echo etcd-server
  has_command etcdctl || echo etcd-client
  has_command curl || echo curl
  # Certificates of a test's own, and a clock that steps.
  ! $for_tests || has_command openssl || echo openssl
  ! $for_tests || has_command faketime || echo faketime
  # Hosts with a network each.
  ! $for_tests || has_command ip || echo iproute2
  # Goes into images, where it finds no library of its own.
  is_static /bin/busybox || echo busybox-static
  has_wheels || python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || echo python3 python3-venv
}

has_wheels() { has_envoy >/dev/null && { ! $for_tests || has_go >/dev/null; }; }

# Newer releases have the client in a package of its own, which docker.io only recommends.
docker_client_package() {
  [[ -z $(apt-cache --quiet=2 search --names-only '^docker-cli$' 2>/dev/null) ]] || echo docker-cli
}

is_static() { [[ -x $1 ]] && ! ldd "$1" >/dev/null 2>&1; }

has_system_packages() {
  local missing
  missing=$(missing_packages | xargs)
  [[ -n $missing ]] && echo "missing: $missing" && return 1
  echo 'Docker, compose, iptables, etcd, busybox, curl'
}

install_system_packages() {
  local missing
  if ! has_command apt-get; then
    to_type 'install by your package manager: Docker engine, docker-compose, iptables, etcd and etcdctl (3.4 or later), busybox (static), curl, python3 with venv'
    return 1
  fi
  missing=$(missing_packages | xargs)
  if ! is_root; then
    to_type "sudo apt-get update && sudo apt-get install -y --no-install-recommends $missing"
    return 1
  fi
  apt_get update
  # Asked again: only now does apt know which release this is.
  missing=$(missing_packages | xargs)
  with_few_services "$missing"
}

# Other clones may be at it too.
apt_get() { apt-get -o DPkg::Lock::Timeout=120 "$@"; }

# Debian starts what it installs. An etcd of its own would only hold the port that tests and users want, and where there
# is no systemd, an engine that its script cannot start is a package that cannot be installed: we start that one.
with_few_services() {
  local policy=/usr/sbin/policy-rc.d denied='etcd | etcd.service' ours=false code=0
  [[ -d /run/systemd/system ]] || denied+=' | docker'
  if [[ ! -e $policy ]]; then
    ours=true
    printf '#!/bin/sh\ncase "$1" in %s) exit 101 ;; esac\nexit 0\n' "$denied" >$policy
    chmod 755 $policy
    # shellcheck disable=SC2064
    trap "rm -f $policy" EXIT
  fi
  # shellcheck disable=SC2086
  apt_get install -y --no-install-recommends $1 || code=$?
  if $ours; then
    rm -f $policy
    trap - EXIT
    [[ $1 != *etcd-server* || ! -d /run/systemd/system ]] || systemctl disable etcd.service || true
  fi
  return $code
}
