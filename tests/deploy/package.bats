# The Debian packages, made from the programs that are built: are they what `make install` installs, would Debian's
# own check let them in? tests/package has the long form, which installs them.

load helper

make_goal() { env -u MAKEFLAGS -u MAKELEVEL make --silent -C "$TODO_ROOT" CONFIG="$(basename "$TODO_BUILD")" "$@"; }

setup_file() {
  export PACKAGES
  PACKAGES=$(mktemp -d)
  make_goal "build/$(basename "$TODO_BUILD")/verify/todo-verify.mjs" >/dev/null
  PROGRAMS_OF=$TODO_BUILD "$TODO_ROOT/env/debian/build" "$TODO_BUILD" "$(sed -nE '1s/.*\((.*)\).*/\1/p' "$TODO_ROOT/env/debian/changelog")" "$PACKAGES" >"$PACKAGES/log" 2>&1 ||
    { cat "$PACKAGES/log" >&2; return 1; }
  for package in todo-fcgi todo-fcgi-www; do dpkg-deb --raw-extract "$PACKAGES/${package}"_*.deb "$PACKAGES/$package"; done
}

teardown_file() { rm -rf "$PACKAGES"; }

@test "lintian finds no error and no warning in the packages" {
  run lintian --allow-root --fail-on error,warning "$PACKAGES"/*.deb
  [ "$status" -eq 0 ] || { echo "$output"; false; }
}

@test "the packages have every file that make install has, where Debian wants it" {
  # Below /usr from Debian 13 on; lintian knows.
  units=$(cd "$PACKAGES/todo-fcgi" && find . -path '*/systemd/system' | sed 's|^\.||')
  make_goal install DESTDIR="$PACKAGES/tree" prefix=/usr \
    libexecdir=/usr/lib sysconfdir=/etc unitdir="$units" >/dev/null
  installed=$(cd "$PACKAGES/tree" && find . -type f | sed -E 's|^\./etc/todo-fcgi/env$|./usr/share/todo-fcgi/env/initial.env|
    s|^\./usr/share/doc/todo-fcgi/examples/nginx/|./etc/nginx/snippets/|
    s|^\./usr/share/doc/todo-fcgi/examples/apache/|./etc/apache2/conf-available/|
    s|^\./usr/share/doc/todo-fcgi/examples/lighttpd/|./etc/lighttpd/conf-available/50-|
    \|/doc/todo-fcgi/LICENSE$|d; \|/todo-fcgi/installed$|d' | sort)
  packaged=$(cd "$PACKAGES" && find todo-fcgi todo-fcgi-www -type f -not -path '*/DEBIAN/*' | sed -E 's|^todo-fcgi(-www)?/|./|; s|(/man/.*)\.gz$|\1|
    \|/usr/share/doc/todo-fcgi(-www)?/(changelog\|copyright)|d; \|/usr/share/lintian/|d' | sort)
  diff <(echo "$installed") <(echo "$packaged")
  [ "$(wc -l <<<"$packaged")" -gt 100 ]
}

@test "settings are no file of the package, and nothing asks" {
  [ ! -e "$PACKAGES/todo-fcgi/etc/todo-fcgi" ]
  ! grep -q todo-fcgi/env "$PACKAGES/todo-fcgi/DEBIAN/conffiles"
  [ ! -e "$PACKAGES/todo-fcgi/DEBIAN/templates" ]
  ! grep -rnE 'debconf|read -' "$PACKAGES"/todo-fcgi*/DEBIAN
  grep -qx /etc/nginx/snippets/todo-fcgi-api.conf "$PACKAGES/todo-fcgi/DEBIAN/conffiles"
}

@test "every program of the package runs, and names the routes of its list" {
  for program in "$PACKAGES"/todo-fcgi/usr/lib/todo-fcgi/*; do "$program" --route; done | sort | diff - <(sort "$PACKAGES/todo-fcgi/usr/share/todo-fcgi/routes.tsv")
  [ "$("$PACKAGES/todo-fcgi/usr/bin/todo-fcgi" version)" = "todo-fcgi $(dpkg-deb --field "$PACKAGES"/todo-fcgi_*.deb Version)" ]
}
