# The Debian packages in a fresh Debian tree that already has nginx: installed, used, upgraded, removed, purged.
# The tests follow one another. `make test-package` builds the packages first; it needs root and the machine's
# Debian mirror. What debootstrap makes is kept in build/, so from the second time on the mirror is only asked for
# what the packages depend on. tests/deploy/package.bats is the short form, for every day.

load ../deploy/helper

setup_file() {
  [ "$EUID" -eq 0 ] || { echo 'a Debian tree can only be made by root' >&2; return 1; }
  export FOLDER TREE PORT WEB_PORT PACKAGES=$TODO_ROOT/build/deb
  FOLDER=$(mktemp -d)
  chmod 0755 "$FOLDER"
  TREE=$FOLDER/tree
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  kept=$TODO_ROOT/build/debian-$codename.tar
  if [ ! -s "$kept" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $codename" 'Component: main' | head -n 1)
    debootstrap --variant=minbase --include=nginx-light "$codename" "$TREE" "$mirror" >"$FOLDER/debootstrap.log" 2>&1 || { tail -n 5 "$FOLDER/debootstrap.log" >&2; return 1; }
    tar --create --one-file-system --directory "$TREE" --exclude='./proc/*' --exclude='./sys/*' --file "$kept.new" .
    mv "$kept.new" "$kept"
    rm -rf "$TREE"
  fi
  mkdir "$TREE"
  tar --extract --numeric-owner --directory "$TREE" --file "$kept"
  mount -t proc proc "$TREE/proc"
  mkdir -p "$TREE/build/deb"
  cp "$PACKAGES"/*.deb "$TREE/build/deb/"

  PORT=$(free_port) WEB_PORT=$(free_port)
  bin=$(pg_config --bindir)
  [ -x "$bin/postgres" ] || bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  install -d -o postgres "$FOLDER/cluster"
  as_postgres() { (cd / && exec setpriv --reuid postgres --regid postgres --init-groups "$@"); }
  as_postgres "$bin/initdb" -D "$FOLDER/cluster" --auth trust --username postgres >/dev/null
  as_postgres "$bin/postgres" -D "$FOLDER/cluster" -k '' -c listen_addresses=127.0.0.1 -p "$PORT" >"$FOLDER/postgres.log" 2>&1 3>&- &
  echo $! >"$FOLDER/postgres.pid"
  wait_until 30 psql --quiet --no-psqlrc "postgresql://postgres@127.0.0.1:$PORT/postgres" -c 'SELECT 1' >"$FOLDER/psql.log" 2>&1
}

teardown_file() {
  stop_service
  if [ -e "$FOLDER/postgres.pid" ]; then
    pid=$(cat "$FOLDER/postgres.pid")
    kill -INT "$pid"
    wait_until 30 eval '! kill -0 "$pid" 2>/dev/null'
  fi
  ! mountpoint -q "$TREE/proc" || umount "$TREE/proc"
  rm -rf "$FOLDER"
}

inside() { env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 chroot "$TREE" "$@"; }

# Without a terminal and without an answer to any question.
apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet "$@" </dev/null; }

# --- The service, without systemd: what its unit files say is done by tests/deploy/socket-unit ---------------

start_service() {
  local unit name
  mapfile -t settings < <(grep -E '^[A-Z]' "$TREE/etc/todo-fcgi/env")
  mkdir -p "$TREE/run/todo-fcgi"
  for unit in "$TREE"/lib/systemd/system/todo-*.socket; do
    name=$(basename "$unit" .socket)
    user=$(sed -n 's/^User=//p' "${unit%.socket}@.service")
    env -i PATH="$PATH" "${settings[@]}" "$TODO_ROOT/tests/deploy/socket-unit" "$TREE$(sed -n 's/^ListenStream=//p' "$unit")" \
      "$FOLDER/$name.log" 1 chroot --userspec="$user:$user" "$TREE" "$(sed -n 's/^ExecStart=//p' "${unit%.socket}@.service")" 2>>"$FOLDER/service.err" 3>&- &
    echo $! >>"$FOLDER/service.pids"
  done
  for unit in "$TREE"/lib/systemd/system/todo-*.socket; do
    socket=$TREE$(sed -n 's/^ListenStream=//p' "$unit")
    wait_until 10 test -S "$socket"
    chgrp "$(inside getent group www-data | cut -d : -f 3)" "$socket"
    chmod "$(sed -n 's/^SocketMode=//p' "$unit")" "$socket"
  done
}

stop_service() {
  local pid
  if [ -s "$TREE/run/nginx.pid" ]; then
    pid=$(cat "$TREE/run/nginx.pid")
    kill "$pid"
    wait_until 20 eval '! kill -0 "$pid" 2>/dev/null'
  fi
  [ -e "$FOLDER/service.pids" ] || return 0
  while read -r pid; do
    kill "$pid" 2>/dev/null || continue
    wait_until 20 eval '! kill -0 "$pid" 2>/dev/null'
  done <"$FOLDER/service.pids"
  rm "$FOLDER/service.pids"
}

# ask PATH [CURL'S ARGUMENT]…: through nginx; fails if the answer does.
ask() { curl --silent --show-error --fail --max-time 20 "http://127.0.0.1:$WEB_PORT$1" "${@:2}"; }

settings() { cat "$TREE/etc/todo-fcgi/env"; }

@test "lintian finds no error and no warning" {
  run lintian --allow-root --fail-on error,warning "$PACKAGES"/*.deb
  [ "$status" -eq 0 ]
}

# What the tree has no use for, and what it cannot do: the packages are built, nothing answers a question of apt's,
# PostgreSQL is outside, and no systemd runs.
make_stand_ins() {
  local bin=$TREE/usr/local/sbin
  printf '#!/bin/sh\n[ "$*" = deb ]\n' >"$bin/make"
  printf '#!/bin/sh\nif [ "$1" = -u ]; then shift 2; export PGHOST=127.0.0.1 PGPORT=%s PGUSER=postgres PGDATABASE=postgres; fi\nexec "$@"\n' "$PORT" >"$bin/sudo"
  printf '#!/bin/sh\n[ "$*" = "enable --now todo-fcgi.target" ] && test -e /lib/systemd/system/todo-fcgi.target\n' >"$bin/systemctl"
  chmod 0755 "$bin"/{make,sudo,systemctl}
  printf 'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n' >"$TREE/etc/apt/apt.conf.d/99test"
}

@test "the README's five minutes, word by word: nothing is asked, nothing starts, users and a secret are made" {
  make_stand_ins
  find "$TREE" -xdev -path "$TREE/proc" -prune -o -print | sort >"$FOLDER/before"
  apt update
  words=$(node "$TODO_ROOT/tests/docs/block.mjs" README.md 'On a server, in five minutes')
  [[ $words == "$(node "$TODO_ROOT/tests/docs/block.mjs" env/INSTALL.md '1. The files')"* ]]
  words=${words/@localhost/@127.0.0.1:$PORT}
  inside env DEBIAN_FRONTEND=noninteractive bash -euo pipefail -c "$words" >"$FOLDER/install.log" 2>&1 </dev/null || { tail "$FOLDER/install.log"; false; }
  rm "$TREE"/usr/local/sbin/{make,sudo,systemctl}
  [ -z "$(inside dpkg --audit)" ]
  [ "$(stat -c '%a %U' "$TREE/etc/todo-fcgi/env")" = '640 root' ]
  [ "$(inside stat -c '%G' /etc/todo-fcgi/env /etc/todo-fcgi | sort -u)" = todo ]
  secret=$(sed -n 's/^BETTER_AUTH_SECRET=//p' "$TREE/etc/todo-fcgi/env")
  [ "${#secret}" -ge 32 ]
  for unit in "$TREE"/lib/systemd/system/todo-*.service; do
    inside getent passwd "$(sed -n 's/^User=//p' "$unit")"
    [ -x "$TREE$(sed -n 's/^ExecStart=//p' "$unit")" ]
  done
  [ -z "$(find "$TREE/etc/systemd/system" -name '*todo*')" ]
  [ "$(inside todo-fcgi version)" = "todo-fcgi $(dpkg-deb --field "$PACKAGES"/todo-fcgi_*.deb Version)" ]
  [ -s "$TREE/usr/share/todo-fcgi/www/index.html.gz" ]
  [ -s "$TREE/etc/nginx/snippets/todo-fcgi-http.conf" ]
}

@test "the service is usable: sign up, sign in, a task, maintenance" {
  inside todo-fcgi call POST /api/auth/sign-up/email --data '{"name":"Zoe","email":"zoe@example.com","password":"password123"}'
  inside todo-fcgi call POST /api/auth/sign-in/email --data '{"email":"zoe@example.com","password":"password123"}' >/dev/null
  inside todo-fcgi call POST /api/tasks --user zoe@example.com --data '{"title":"in a fresh tree"}'
  [[ $(inside todo-fcgi call GET /api/tasks --user zoe@example.com) == *'in a fresh tree'* ]]
  inside todo-fcgi maintenance
}

@test "with the include files in its nginx the service is there: pages, accounts, tasks, each program as its own user" {
  # As env/WEB-SERVERS.md says.
  echo 'include snippets/todo-fcgi-http.conf;' >"$TREE/etc/nginx/conf.d/todo-fcgi.conf"
  rm "$TREE/etc/nginx/sites-enabled/default" # a link, by which a redirection from outside would leave the tree
  cat >"$TREE/etc/nginx/sites-enabled/todo" <<NGINX
server {
  listen 127.0.0.1:$WEB_PORT;
  server_name localhost;
  include snippets/todo-fcgi-api.conf;
  include snippets/todo-fcgi-pages.conf;
}
NGINX
  start_service
  inside nginx 3>&-
  json='Content-Type: application/json'
  ask /api/auth/sign-up/email -H "$json" -d '{"name":"Ann","email":"ann@example.com","password":"password123"}'
  ask /api/auth/sign-in/email -H "$json" -d '{"email":"ann@example.com","password":"password123"}' -c "$FOLDER/jar"
  token=$(ask /api/auth/token -b "$FOLDER/jar" | sed -E 's/.*"token":"([^"]*)".*/\1/')
  ask /api/tasks -H "Authorization: Bearer $token" -H "$json" -d '{"title":"through nginx"}'
  [[ $(ask /api/tasks -H "Authorization: Bearer $token") == *'through nginx'* ]]
  [[ $(ask /) == *'<title>'* ]]
  [[ $(ask /api/ready) == *'"ready"'* ]]
  run ask /api/nowhere
  [ "$status" -ne 0 ]
  for name in task_list signup; do
    worker=$(sed -n 's/^started //p' "$FOLDER/todo-$name.log" | tail -n 1)
    [ "$(stat -c %u "/proc/$worker")" = "$(inside id -u "todo-$name")" ]
  done
}

# said FILE TEXT…: prints what the document says, if it does.
said() {
  local text
  for text in "${@:2}"; do
    grep -qF -- "$text" "$TODO_ROOT/$1" || { echo "$1 does not say: $text" >&2; return 1; }
    printf '%s\n' "$text"
  done
}

@test "Debian's Apache, lighttpd and Caddy take the lines of the README, with the modules of WEB-SERVERS.md" {
  printf '#!/bin/sh\nexit 101\n' >"$TREE/usr/sbin/policy-rc.d"
  chmod 0755 "$TREE/usr/sbin/policy-rc.d"
  apt install --no-install-recommends apache2 lighttpd caddy >"$FOLDER/servers.log" 2>&1 || { tail "$FOLDER/servers.log"; false; }
  {
    printf '<VirtualHost *:80>\nServerName todo.example.com\n'
    said README.md 'Include conf-available/todo-fcgi-api.conf' 'Include conf-available/todo-fcgi-pages.conf'
    echo '</VirtualHost>'
  } >"$TREE/etc/apache2/sites-available/todo.conf"
  inside a2ensite todo
  run inside apache2ctl configtest
  [ "$status" -ne 0 ]
  for modules in 'a2enmod proxy_fcgi headers alias env' 'dir deflate'; do
    said env/WEB-SERVERS.md "$modules"
    # shellcheck disable=SC2086
    inside a2enmod ${modules#a2enmod }
  done
  inside apache2ctl configtest

  # shellcheck disable=SC2046
  inside $(said env/WEB-SERVERS.md 'lighty-enable-mod fastcgi setenv rewrite')
  {
    said README.md '$HTTP["host"] == "todo.example.com" {' 'include "conf-available/50-todo-fcgi-api.conf"' 'include "conf-available/50-todo-fcgi-pages.conf"'
    echo '}'
  } >>"$TREE/etc/lighttpd/lighttpd.conf"
  inside lighttpd -tt -f /etc/lighttpd/lighttpd.conf

  {
    said README.md 'import /usr/share/doc/todo-fcgi/examples/caddy/todo-fcgi.caddy'
    echo 'http://todo.example.com {'
    said README.md 'import todo-fcgi-api' 'import todo-fcgi-pages'
    printf '%s {\n' "$(said README.md 'handle_errors')"
    said README.md 'import todo-fcgi-errors'
    printf '}\n}\n'
  } >"$TREE/etc/caddy/Caddyfile"
  inside env HOME=/tmp caddy validate --adapter caddyfile --config /etc/caddy/Caddyfile
  inside a2dissite --purge todo
  rm "$TREE/etc/apache2/sites-available/todo.conf" "$TREE/usr/sbin/policy-rc.d"
}

@test "an upgrade replaces the programs and keeps settings, edited include files and data" {
  echo '# edited' >>"$TREE/etc/nginx/snippets/todo-fcgi-api.conf"
  echo 'LOG_LEVEL=warn' >>"$TREE/etc/todo-fcgi/env"
  before=$(settings)
  for package in todo-fcgi todo-fcgi-www; do
    dpkg-deb --raw-extract "$PACKAGES/${package}"_*.deb "$FOLDER/$package"
    sed -i -E 's/^(Version: .*)/\1+later/; s/\(= [0-9.]+\)/(>= 0)/' "$FOLDER/$package/DEBIAN/control"
  done
  sed -i 's/version=[0-9.]*$/version=later/' "$FOLDER/todo-fcgi/usr/bin/todo-fcgi"
  for package in todo-fcgi todo-fcgi-www; do
    dpkg-deb --build --root-owner-group "$FOLDER/$package" "$TREE/build/$package.deb" >/dev/null
  done
  apt install --no-install-recommends /build/todo-fcgi.deb /build/todo-fcgi-www.deb >"$FOLDER/upgrade.log" 2>&1 || { tail "$FOLDER/upgrade.log"; false; }
  [ "$(inside todo-fcgi version)" = 'todo-fcgi later' ]
  [ "$(settings)" = "$before" ]
  [ "$(stat -c %a "$TREE/etc/todo-fcgi/env")" = 640 ]
  [ "$(tail -n 1 "$TREE/etc/nginx/snippets/todo-fcgi-api.conf")" = '# edited' ]
  [[ $(inside todo-fcgi call GET /api/tasks --user zoe@example.com) == *'in a fresh tree'* ]]
  # What the upgrade does to the units where systemd runs.
  xargs kill -HUP <"$FOLDER/service.pids"
  inside nginx -t
  ask /api/auth/sign-in/email -H 'Content-Type: application/json' -d '{"email":"ann@example.com","password":"password123"}'
}

@test "removing leaves the settings and nothing that could run" {
  before=$(settings)
  stop_service
  rm -r "$TREE/etc/nginx/conf.d/todo-fcgi.conf" "$TREE/etc/nginx/sites-enabled/todo" "$TREE/run/todo-fcgi"
  apt remove todo-fcgi todo-fcgi-www >"$FOLDER/remove.log" 2>&1 || { tail "$FOLDER/remove.log"; false; }
  [ ! -e "$TREE/usr/lib/todo-fcgi" ]
  [ ! -e "$TREE/usr/bin/todo-fcgi" ]
  [ "$(settings)" = "$before" ]
}

@test "purging leaves nothing: no file, no user, no group" {
  mkdir -p "$TREE/etc/systemd/system/todo-fcgi.target.wants"
  ln -s /lib/systemd/system/todo-task_list@.service "$TREE/etc/systemd/system/todo-fcgi.target.wants/todo-task_list@2.service"
  apt purge todo-fcgi todo-fcgi-www >"$FOLDER/purge.log" 2>&1 || { tail "$FOLDER/purge.log"; false; }
  apt autoremove --purge >>"$FOLDER/purge.log" 2>&1
  rm -r "$TREE/build" "$TREE/etc/apt/apt.conf.d/99test"
  # "mailer", "signup" and so on are in no name but after "todo".
  left=$(find "$TREE" -xdev -path "$TREE/proc" -prune -o -name '*todo*' -print | grep -vE '/var/(log|cache|lib/apt)/|/usr/share/(zsh|vim|bash-completion)/' | grep -vxFf "$FOLDER/before" || true)
  [ -z "$left" ] || { echo "$left"; false; }
  ! grep -rn todo "$TREE"/etc/passwd "$TREE"/etc/group "$TREE"/etc/shadow "$TREE"/etc/gshadow
  inside nginx -t
  [ ! -e "$TREE/etc/todo-fcgi" ]
}
