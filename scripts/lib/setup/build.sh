# npm packages, generated code, and the build.
# shellcheck shell=bash

BUILD_STAMP=dist/.stamp

has_npm_packages() { node scripts/lib/setup/npm-packages.mjs; }

# A registry that lacks the binaries of other platforms makes npm leave those out of the lock, and npm 11 then refuses
# that lock in `npm ci`. `npm install` takes the same versions from it; the check afterwards sees to that.
install_npm_packages() {
  npm ci --no-audit --no-fund || npm install --no-save --no-audit --no-fund
}

has_envoy_types() {
  if node scripts/generate-protos.mjs --check; then
    echo 'src/xds/generated'
  else
    echo 'to generate'
    return 1
  fi
}
generate_envoy_types() { node scripts/generate-protos.mjs; }

has_build() {
  if [[ -f $BUILD_STAMP && $(<$BUILD_STAMP) == $(build_inputs) ]]; then
    echo 'dist'
  else
    echo 'to do'
    return 1
  fi
}

build() {
  # Taken before: a file that changes meanwhile makes the stamp stale.
  local inputs
  inputs=$(build_inputs)
  npm run --silent build || return 1
  echo "$inputs" >$BUILD_STAMP
}

build_inputs() {
  find src fixtures/apps tsconfig.json package-lock.json -type f -printf '%p %s %T@\n' | sort | sha256sum
}
