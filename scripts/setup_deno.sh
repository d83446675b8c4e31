#!/bin/sh
# Puts the Deno of .deno-version at .deno/deno: a link to the one on PATH when that is this version,
# else to the binary of the npm package, installed under .deno/ with the user's own npm configuration.
# Does nothing when it is there already. .deno/version tells bin/noports which version the link means.
set -eu

root=$(CDPATH='' cd -P "$(dirname "$0")/.." && pwd -P)
dir=$root/.deno
deno=$dir/deno
read -r version <"$root/.deno-version"
export DENO_NO_UPDATE_CHECK=1 NO_COLOR=1

fail() {
  echo "setup: Cannot install Deno $version: $1" >&2
  echo "  $2" >&2
  exit 1
}

# Prints the version of the binary $1, or nothing.
version_of() {
  "$1" --version 2>/dev/null | sed -n 's/^deno \([^ ]*\).*/\1/p' || true
}

# Makes .deno/deno point to $1 in one step, so that another process never finds it half done.
link() {
  ln -s "$1" "$dir/deno.$$"
  mv -f "$dir/deno.$$" "$deno"
  echo "$version" >"$dir/version.$$"
  mv -f "$dir/version.$$" "$dir/version"
}

if [ -x "$deno" ] && [ "$(version_of "$deno")" = "$version" ]; then
  [ "$(cat "$dir/version" 2>/dev/null)" = "$version" ] || echo "$version" >"$dir/version"
  exit 0
fi

mkdir -p "$dir"
tmp=$dir/install.$$
trap 'rm -rf "$tmp" "$dir/deno.$$" "$dir/version.$$"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if command -v deno >/dev/null 2>&1; then
  # What PATH names can be a script (npm's shim, a version manager), slow at each start: link the binary itself.
  # --no-config: only the version and the path are asked for.
  found=$(deno eval --no-config 'console.log(Deno.version.deno, Deno.execPath())' 2>/dev/null || true)
  if [ "${found%% *}" = "$version" ] && [ -x "${found#* }" ]; then
    link "${found#* }"
    exit 0
  fi
fi

command -v npm >/dev/null 2>&1 ||
  fail "npm was not found" "Install Node.js 20 or later with npm, or put deno $version on PATH."

echo "Installing Deno $version from npm into .deno/ (about 95 MB, once)" >&2
mkdir -p "$tmp"
# The package's install script only copies the binary, and npm may refuse to run it; the binary itself comes in an
# optional dependency, which a user's `omit` setting would leave out.
npm install --prefix "$tmp" --no-save --no-package-lock --no-audit --no-fund --no-update-notifier \
  --ignore-scripts --include=optional --loglevel=error "deno@$version" >/dev/null ||
  fail "npm install failed" "See npm's message above; \`npm ping\` tells whether npm reaches its registry."

binary=
for candidate in "$tmp"/node_modules/@deno/*/deno; do
  [ -f "$candidate" ] && [ "$(version_of "$candidate")" = "$version" ] && binary=$candidate && break
done
[ -n "$binary" ] ||
  fail "npm has no binary that runs on this machine ($(uname -sm))" \
    "Deno needs 64-bit x86 or Arm, and glibc on Linux. Put deno $version on PATH if you have one."

# Another process may have finished first: its result is as good.
if ! { [ -x "$deno" ] && [ "$(version_of "$deno")" = "$version" ]; }; then
  rm -rf "$dir/node_modules"
  mv "$tmp/node_modules" "$dir/node_modules"
  link "${binary#"$tmp/"}"
fi
