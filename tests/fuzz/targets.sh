# What fuzzing and packing share: the targets, and where their programs and corpora are.
TARGETS="request http names codec log file operations"
HOST="$(rustc -vV | sed -n 's/^host: //p')"
BUILD="${CARGO_TARGET_DIR:-target/fuzz/build}"
# Temporary stores are better kept in memory.
[ -d /dev/shm ] && export TMPDIR="${TMPDIR:-/dev/shm}"

# Installs what is missing and builds the targets. The laws find more than a sanitizer, and run twice as fast without
# one: all code of this project is safe.
prepare() {
    rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
    cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz --version 0.13.2
    cargo +nightly fuzz build --release --sanitizer none --fuzz-dir tests/fuzz --target-dir "$BUILD"
}

program() { printf '%s/%s/release/%s' "$BUILD" "$HOST" "$1"; }

# The committed corpus of a target, beside what was found since.
unpack() {
    mkdir -p "target/fuzz/corpus/$1"
    [ ! -e "tests/fuzz/corpora/$1.tar" ] || tar --extract --file "tests/fuzz/corpora/$1.tar" --directory "target/fuzz/corpus/$1"
}
