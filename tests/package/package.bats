# The Debian packages in a fresh Debian tree: installed, used, upgraded, removed, purged. The tests follow
# one another. `make test-package` builds the packages first; it needs root and the machine's Debian mirror.

load ../deploy/helper

setup_file() {
  [ "$EUID" -eq 0 ] || { echo 'a Debian tree can only be made by root' >&2; return 1; }
  export FOLDER TREE PORT PACKAGES=$TODO_ROOT/build/deb
  FOLDER=$(mktemp -d)
  chmod 0755 "$FOLDER"
  TREE=$FOLDER/tree
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $codename" 'Component: main' | head -n 1)
  debootstrap --variant=minbase "$codename" "$TREE" "$mirror" >"$FOLDER/debootstrap.log" 2>&1 || { tail -n 5 "$FOLDER/debootstrap.log" >&2; return 1; }
  mount -t proc proc "$TREE/proc"
  mkdir "$TREE/packages"
  cp "$PACKAGES"/todo-fcgi_*.deb "$TREE/packages/todo-fcgi.deb"
  cp "$PACKAGES"/todo-fcgi-www_*.deb "$TREE/packages/todo-fcgi-www.deb"

  PORT=$(free_port)
  bin=$(pg_config --bindir)
  [ -x "$bin/postgres" ] || bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  install -d -o postgres "$FOLDER/cluster"
  as_postgres() { (cd / && exec setpriv --reuid postgres --regid postgres --init-groups "$@"); }
  as_postgres "$bin/initdb" -D "$FOLDER/cluster" --auth trust --username todo >/dev/null
  as_postgres "$bin/postgres" -D "$FOLDER/cluster" -k '' -c listen_addresses=127.0.0.1 -p "$PORT" >"$FOLDER/postgres.log" 2>&1 3>&- &
  echo $! >"$FOLDER/postgres.pid"
  wait_until 30 psql --quiet --no-psqlrc "postgresql://todo@127.0.0.1:$PORT/postgres" -c 'CREATE DATABASE todo' 2>/dev/null
}

teardown_file() {
  if [ -e "$FOLDER/postgres.pid" ]; then
    pid=$(cat "$FOLDER/postgres.pid")
    kill -INT "$pid"
    wait_until 30 eval '! kill -0 "$pid" 2>/dev/null'
  fi
  ! mountpoint -q "$TREE/proc" || umount "$TREE/proc"
  rm -rf "$FOLDER"
}

inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 chroot "$TREE" "$@"; }

# Without a terminal and without an answer to any question.
apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet "$@" </dev/null; }

settings() { cat "$TREE/etc/todo-fcgi/env"; }

@test "lintian finds no error and no warning" {
  run lintian --allow-root --fail-on error,warning "$PACKAGES"/*.deb
  [ "$status" -eq 0 ]
}

@test "installing asks nothing, starts nothing, and makes users and settings with a secret" {
  find "$TREE" -xdev -path "$TREE/proc" -prune -o -print | sort >"$FOLDER/before"
  apt update
  apt install --no-install-recommends /packages/todo-fcgi.deb /packages/todo-fcgi-www.deb >"$FOLDER/install.log" 2>&1 || { tail "$FOLDER/install.log"; false; }
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
  [ "$(inside todo-fcgi version)" = "todo-fcgi $(dpkg-deb --field "$TREE/packages/todo-fcgi.deb" Version)" ]
  [ -s "$TREE/usr/share/todo-fcgi/www/index.html.gz" ]
  [ -s "$TREE/etc/nginx/snippets/todo-fcgi-http.conf" ]
}

@test "with an address of the database the service is usable: migrate, sign up, sign in, a task" {
  run inside todo-fcgi user list
  [ "$status" -eq 2 ]
  [[ $output == *'DATABASE_URL is not set'* ]]
  echo "DATABASE_URL=postgresql://todo@127.0.0.1:$PORT/todo" >>"$TREE/etc/todo-fcgi/env"
  inside todo-fcgi migrate
  inside todo-fcgi call POST /api/auth/sign-up/email --data '{"name":"Zoe","email":"zoe@example.com","password":"password123"}'
  inside todo-fcgi call POST /api/auth/sign-in/email --data '{"email":"zoe@example.com","password":"password123"}' >/dev/null
  inside todo-fcgi call POST /api/tasks --user zoe@example.com --data '{"title":"in a fresh tree"}'
  [[ $(inside todo-fcgi call GET /api/tasks --user zoe@example.com) == *'in a fresh tree'* ]]
  inside todo-fcgi maintenance
}

@test "a program answers on its socket as its own user" {
  HTTP_AUTHORIZATION="Bearer $(inside todo-fcgi token --user zoe@example.com)"
  export HTTP_AUTHORIZATION REQUEST_URI=/api/tasks
  (
    mapfile -t settings < <(grep -E '^[A-Z]' "$TREE/etc/todo-fcgi/env")
    exec env -i PATH="$PATH" "${settings[@]}" "$TODO_ROOT/tests/deploy/socket-unit" "$FOLDER/s.sock" "$FOLDER/log" 1 \
      chroot --userspec=todo-task_list:todo-task_list "$TREE" /usr/lib/todo-fcgi/task_list
  ) 2>"$FOLDER/err" 3>&- &
  unit=$!
  wait_until 10 test -S "$FOLDER/s.sock"
  node "$TODO_ROOT/tests/deploy/activation.mjs" ask "$FOLDER/s.sock" 5 || { cat "$FOLDER/err"; kill "$unit"; false; }
  worker=$(sed -n 's/^started //p' "$FOLDER/log")
  [ "$(stat -c %u "/proc/$worker")" = "$(inside id -u todo-task_list)" ]
  kill "$unit"
  wait "$unit" || true
}

@test "an upgrade replaces the programs and keeps settings, edited include files and data" {
  echo '# edited' >>"$TREE/etc/nginx/snippets/todo-fcgi-api.conf"
  echo 'LOG_LEVEL=warn' >>"$TREE/etc/todo-fcgi/env"
  before=$(settings)
  for package in todo-fcgi todo-fcgi-www; do
    dpkg-deb --raw-extract "$TREE/packages/$package.deb" "$FOLDER/$package"
    sed -i -E 's/^(Version: .*)/\1+later/; s/\(= [0-9.]+\)/(>= 0)/' "$FOLDER/$package/DEBIAN/control"
  done
  sed -i 's/version=[0-9.]*$/version=later/' "$FOLDER/todo-fcgi/usr/bin/todo-fcgi"
  for package in todo-fcgi todo-fcgi-www; do
    dpkg-deb --build --root-owner-group "$FOLDER/$package" "$TREE/packages/$package.deb" >/dev/null
  done
  apt install --no-install-recommends /packages/todo-fcgi.deb /packages/todo-fcgi-www.deb >"$FOLDER/upgrade.log" 2>&1 || { tail "$FOLDER/upgrade.log"; false; }
  [ "$(inside todo-fcgi version)" = 'todo-fcgi later' ]
  [ "$(settings)" = "$before" ]
  [ "$(stat -c %a "$TREE/etc/todo-fcgi/env")" = 640 ]
  [ "$(tail -n 1 "$TREE/etc/nginx/snippets/todo-fcgi-api.conf")" = '# edited' ]
  [[ $(inside todo-fcgi call GET /api/tasks --user zoe@example.com) == *'in a fresh tree'* ]]
}

@test "removing leaves the settings and nothing that could run" {
  before=$(settings)
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
  rm -r "$TREE/packages"
  # "mailer", "signup" and so on are in no name but after "todo".
  left=$(find "$TREE" -xdev -path "$TREE/proc" -prune -o -name '*todo*' -print | grep -vE '/var/(log|cache|lib/apt)/|/usr/share/(zsh|vim|bash-completion)/' | grep -vxFf "$FOLDER/before" || true)
  [ -z "$left" ] || { echo "$left"; false; }
  ! grep -rn todo "$TREE"/etc/passwd "$TREE"/etc/group "$TREE"/etc/shadow "$TREE"/etc/gshadow
  for folder in nginx apache2 lighttpd todo-fcgi; do [ ! -e "$TREE/etc/$folder" ]; done
}
