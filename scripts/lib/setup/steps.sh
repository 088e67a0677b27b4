# Steps of setup: each checks first, makes only what is missing, and shows one line `✔ what   detail  0.9s`.
# shellcheck shell=bash

setup_log="$PWD/.cache/setup.log"
lines_to_type=()
lacking=false

# A caller may have cleared its environment: nothing here may depend on its language, its path or its terminal.
plain_environment() {
  export LC_ALL=C DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1
  export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"
  PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  mkdir -p .cache
  : >"$setup_log"
}

# step WHAT CHECK MAKE: CHECK prints what it found, or what is missing and fails. MAKE writes to the log.
step() {
  local what=$1 check=$2 make=$3 detail started=${EPOCHREALTIME/./}
  if detail=$("$check" 2>>"$setup_log"); then
    show '✔' "$what" "$detail" "$started"
  elif $only_check; then
    lacking=true
    show '✘' "$what" "$detail" "$started"
  else
    show '…' "$what" "$detail" "$started"
    make_and_check "$what" "$check" "$make" "$started"
  fi
}

make_and_check() {
  local what=$1 check=$2 make=$3 started=$4 detail typed=${#lines_to_type[@]}
  if "$make" </dev/null >>"$setup_log" 2>&1 && detail=$("$check" 2>>"$setup_log"); then
    show '✔' "$what" "$detail" "$started"
    return
  fi
  lacking=true
  if ((${#lines_to_type[@]} > typed)); then
    show '✘' "$what" 'needs you, see below' "$started"
  else
    show '✘' "$what" 'failed:' "$started"
    tail -n 30 "$setup_log" | sed 's/^/    /' >&2
    exit 1
  fi
}

show() {
  local sign=$1 what=$2 detail=$3 tenths=$(((${EPOCHREALTIME/./} - $4) / 100000))
  printf '%s %-24s %s  %d.%ds\n' "$sign" "$what" "$detail" $((tenths / 10)) $((tenths % 10)) >&2
}

# What only the user can do, with the exact line.
to_type() {
  lines_to_type+=("$1")
  return 1
}

stop_if_lacking() {
  $lacking || return 0
  if ((${#lines_to_type[@]} > 0)); then
    printf '\nPlease type, then run this again:\n' >&2
    printf '  %s\n' "${lines_to_type[@]}" >&2
  fi
  exit 1
}

is_root() { [[ $(id -u) == 0 ]]; }
has_command() { command -v "$1" >/dev/null 2>&1; }
