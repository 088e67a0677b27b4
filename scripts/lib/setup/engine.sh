# The Docker engine: running, or started by us.
# shellcheck shell=bash

ENGINE_START_MAX_S=60
ENGINE_END_MAX_S=20

DOCKERD_PID_FILE=/var/run/docker.pid
CONTAINERD_PID_FILE=/var/run/docker/containerd/containerd.pid

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
    await_engine true
  else
    await_ending_dockerd
    await_engine start_dockerd_unless_running
  fi
}

# await_engine AGAIN: until it answers; AGAIN is called before each look.
await_engine() {
  local again=$1 until_s=$((SECONDS + ENGINE_START_MAX_S))
  until "$again" && has_engine >/dev/null; do
    if ((SECONDS >= until_s)); then
      tail -n 20 .cache/dockerd.log
      echo "the Docker engine did not answer within $ENGINE_START_MAX_S s; its log is .cache/dockerd.log"
      return 1
    fi
    sleep 0.2
  done
}

# One that was told to end answers no more, but holds its pid file and its containers until it has ended.
await_ending_dockerd() {
  local until_s=$((SECONDS + ENGINE_END_MAX_S))
  while runs_as "$DOCKERD_PID_FILE" dockerd && ((SECONDS < until_s)) && ! has_engine >/dev/null; do sleep 0.2; done
}

dockerd_pid=
start_dockerd_unless_running() {
  if runs_as "$DOCKERD_PID_FILE" dockerd || is_starting; then return; fi
  # While the process that a pid file names exists, dockerd refuses to start, or waits for that containerd for ever: be
  # it what is left of a killed one, or another program that has got its number since.
  rm -f "$DOCKERD_PID_FILE"
  runs_as "$CONTAINERD_PID_FILE" containerd || rm -f "$CONTAINERD_PID_FILE"
  start_dockerd
}

is_starting() { [[ -n $dockerd_pid ]] && kill -0 "$dockerd_pid" 2>/dev/null; }

# runs_as FILE PROGRAM: whether the process that FILE names lives and is PROGRAM.
runs_as() {
  local pid name state
  pid=$(cat "$1" 2>/dev/null) && [[ -n $pid ]] || return 1
  # `123 (dockerd) S …`: Z and X are what is left of an ended process.
  read -r name state < <(sed -n 's/^[0-9]* (\(.*\)) \(.\) .*/\1 \2/p' "/proc/$pid/stat" 2>/dev/null) || return 1
  [[ $name == "$2" && $state != [ZX] ]]
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
    exec setsid dockerd --log-level=warn </dev/null >>"$log" 2>&1
  ) &
  dockerd_pid=$!
}
