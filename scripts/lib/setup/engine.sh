# The Docker engine: running, or started by us.
# shellcheck shell=bash

ENGINE_START_MAX_S=60

has_engine() {
  local version
  if version=$(timeout 20 docker version --format '{{.Server.Version}}' 2>>"$setup_log"); then
    echo "$version"
  else
    echo 'does not answer'
    return 1
  fi
}

start_engine() {
  if ! is_root; then
    to_type "sudo systemctl start docker && sudo usermod -aG docker ${USER:-$(id -un)} && newgrp docker"
    return 1
  fi
  has_command dockerd || return 1
  if [[ -d /run/systemd/system ]]; then
    systemctl start docker
  else
    start_dockerd
  fi
  local until_s=$((SECONDS + ENGINE_START_MAX_S))
  until has_engine >/dev/null; do
    if ((SECONDS >= until_s)); then
      tail -n 20 .cache/dockerd.log
      echo "the Docker engine did not answer within $ENGINE_START_MAX_S s; its log is .cache/dockerd.log"
      return 1
    fi
    sleep 0.2
  done
}

# A daemon that keeps one of our files open, or our directory, holds up whoever waits for the end of our output.
start_dockerd() {
  local log="$PWD/.cache/dockerd.log"
  (
    cd /
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2)) || eval "exec $fd>&-"
    done
    exec setsid dockerd --log-level=warn </dev/null >"$log" 2>&1
  ) &
}
