#!/usr/bin/env bats
# What protects the programs should one of them have a mistake in its use of memory.

@test "every built program is hardened" {
  # The sanitizers take the place of some of it.
  ! nm -D "$TODO_BIN/health" | grep -q __asan_init || skip 'built with sanitizers'
  "$TODO_ROOT/tests/check-hardening" "$TODO_BUILD"
}

@test "a program without all that is told apart" {
  local folder=$BATS_TEST_TMPDIR
  mkdir -p "$folder"/{handlers,obj/lib,obj/handlers}
  echo 'int main() { return 0; }' |
    g++ -x c++ -no-pie -fcf-protection=none -Wl,-z,execstack,-z,norelro,-z,lazy -Wl,-rpath,/x - -o "$folder/handlers/bare"
  echo 'int f() { return 0; }' | g++ -x c++ -fcf-protection=none -c - -o "$folder/obj/lib/bare.o"
  run "$TODO_ROOT/tests/check-hardening" "$folder"
  [[ $status -ne 0 ]]
  for words in position-independent 'no RELRO' lazily 'executable stack' 'library path' 'stack protector' fortified 'marks for CET'; do
    [[ $output == *"$words"* ]] || { echo "not said: $words"; false; }
  done
}
