# make install and its relatives, and the units that they install.

load helper

setup() {
  SCRATCH=$(mktemp -d)
  TREE=$SCRATCH/root
  CONFIG=$(basename "$TODO_BUILD")
}

teardown() {
  rm -rf "$SCRATCH"
}

# make_goal GOAL [VARIABLE=VALUE]…
make_goal() {
  env -u MAKEFLAGS -u MAKELEVEL make --silent -C "$TODO_ROOT" CONFIG="$CONFIG" "$@"
}

# installed_at PREFIX: a real place, so that the units name programs that are there.
install_at() {
  make_goal install prefix="$1" runstatedir="$1/run" >/dev/null
}

routes() { (cut -f 1 "$TODO_BUILD/routes.tsv" && echo fallback) | sort -u; }

mode() { stat -c %a "$TREE$1"; }

@test "install puts everything where the GNU variables say, with the right modes, and nothing elsewhere" {
  touch "$SCRATCH/before"
  make_goal install DESTDIR="$TREE"
  places=/usr/local
  while read -r route; do
    [ "$(mode $places/libexec/todo-fcgi/$route)" = 755 ]
    [ "$(mode $places/lib/systemd/system/todo-$route.socket)" = 644 ]
    [ "$(mode "$places/lib/systemd/system/todo-$route@.service")" = 644 ]
  done < <(routes)
  for program in mailer maintenance; do
    [ "$(mode $places/libexec/todo-fcgi/$program)" = 755 ]
    [ "$(mode $places/lib/systemd/system/todo-$program.service)" = 644 ]
  done
  [ "$(mode $places/etc/todo-fcgi/env)" = 640 ]
  [ "$(mode $places/share/todo-fcgi/www/index.html)" = 644 ]
  [ "$(mode $places/share/todo-fcgi/www/index.html.gz)" = 644 ]
  [ "$(mode $places/share/todo-fcgi/sql/migrate)" = 755 ]
  [ "$(ls "$TREE$places"/share/todo-fcgi/sql/*.sql | wc -l)" -eq "$(ls "$TODO_ROOT"/sql/*.sql | wc -l)" ]
  [ "$(ls "$TREE")" = usr ]
  [ "$(find "$TREE" -type f ! -perm 644 ! -perm 755 -printf '%f ')" = 'env ' ]
  [ -z "$(find /usr/local /etc /run/todo-fcgi -newer "$SCRATCH/before" -path '*todo*' 2>/dev/null)" ]
  ! grep -rlE "$SCRATCH|$TODO_ROOT" "$TREE" --include='*.conf' --include='*.service' --include='*.socket' --include='env'
}

@test "the variables move each part on its own" {
  make_goal install DESTDIR="$TREE" prefix=/opt/todo sysconfdir=/etc runstatedir=/var/run libexecdir=/opt/x unitdir=/opt/units
  unit=$TREE/opt/units/todo-signin@.service
  grep -qx 'ExecStart=/opt/x/todo-fcgi/signin' "$unit"
  grep -qx 'EnvironmentFile=/etc/todo-fcgi/env' "$unit"
  grep -qx 'ListenStream=/var/run/todo-fcgi/signin.sock' "$TREE/opt/units/todo-signin.socket"
  [ -x "$TREE/opt/x/todo-fcgi/signin" ]
  [ -r "$TREE/etc/todo-fcgi/env" ]
  grep -q '^#MAIL_TEMPLATES=/opt/todo/share/todo-fcgi/mail$' "$TREE/etc/todo-fcgi/env"
}

@test "installcheck passes on what was installed, and fails when a file is missing, closed or broken" {
  make_goal install DESTDIR="$TREE"
  make_goal installcheck DESTDIR="$TREE"
  rm "$TREE/usr/local/share/todo-fcgi/sql/0002_task.sql"
  run make_goal installcheck DESTDIR="$TREE"
  [ "$status" -ne 0 ]
  [[ $output == *'0002_task.sql is missing'* ]]
  make_goal install DESTDIR="$TREE"
  chmod 0600 "$TREE/usr/local/share/todo-fcgi/www/index.html"
  run make_goal installcheck DESTDIR="$TREE"
  [ "$status" -ne 0 ]
  [[ $output == *'index.html has mode 600'* ]]
  make_goal install DESTDIR="$TREE"
  cp /bin/false "$TREE/usr/local/libexec/todo-fcgi/signin"
  run make_goal installcheck DESTDIR="$TREE"
  [ "$status" -ne 0 ]
  [[ $output == *'signin does not run'* ]]
}

@test "uninstall removes exactly what install made" {
  mkdir -p "$TREE/usr/local/bin" "$TREE/usr/local/share/doc"
  echo theirs >"$TREE/usr/local/bin/other"
  before=$(cd "$TREE" && find . | sort)
  make_goal install DESTDIR="$TREE"
  make_goal uninstall DESTDIR="$TREE"
  [ "$(cd "$TREE" && find . | sort)" = "$before" ]
  [ "$(cat "$TREE/usr/local/bin/other")" = theirs ]
  run make_goal uninstall DESTDIR="$TREE"
  [ "$status" -ne 0 ]
  [[ $output == *'nothing is installed there'* ]]
}

@test "settings that were edited survive a second install and an uninstall" {
  make_goal install DESTDIR="$TREE"
  echo 'LOG_LEVEL=warn' >>"$TREE/usr/local/etc/todo-fcgi/env"
  run make_goal install DESTDIR="$TREE"
  [[ $output == *'todo-fcgi/env is there already and stays as it is'* ]]
  grep -qx 'LOG_LEVEL=warn' "$TREE/usr/local/etc/todo-fcgi/env"
  run make_goal uninstall DESTDIR="$TREE"
  [[ $output == *'holds your settings and stays'* ]]
  [ "$(cd "$TREE" && find . -type f)" = ./usr/local/etc/todo-fcgi/env ]
}

@test "a second install removes what the version before had and this one has not" {
  make_goal install DESTDIR="$TREE"
  touch "$TREE/usr/local/libexec/todo-fcgi/gone" "$TREE/usr/local/libexec/todo-fcgi/theirs"
  echo 'f 755 /usr/local/libexec/todo-fcgi/gone' >>"$TREE/usr/local/share/todo-fcgi/installed"
  make_goal install DESTDIR="$TREE"
  [ ! -e "$TREE/usr/local/libexec/todo-fcgi/gone" ]
  [ -e "$TREE/usr/local/libexec/todo-fcgi/theirs" ]
}

@test "install-strip installs the programs without symbols" {
  make_goal install-strip DESTDIR="$TREE"
  make_goal installcheck DESTDIR="$TREE"
  ! readelf --sections "$TREE/usr/local/libexec/todo-fcgi/signin" | grep -q '\.symtab'
}

@test "systemd accepts every unit, without a warning" {
  install_at "$SCRATCH/here"
  run systemd-analyze verify --man=no "$SCRATCH"/here/lib/systemd/system/todo-*
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "the exposure that systemd computes is at most 1.5 for every service" {
  install_at "$SCRATCH/here"
  count=0
  for unit in "$SCRATCH"/here/lib/systemd/system/todo-*.service; do
    systemd-analyze security --offline=yes --threshold=15 --no-pager "$unit" >/dev/null
    count=$((count + 1))
  done
  [ "$count" -eq $(($(routes | wc -l) + 2)) ]
}

@test "each program has a user of its own, which systemd-sysusers makes, and programs that hash get the memory" {
  make_goal install DESTDIR="$TREE"
  mkdir -p "$TREE/etc"
  systemd-sysusers --root="$TREE"
  users=$(sed -n 's/^User=//p' "$TREE"/usr/local/lib/systemd/system/todo-*.service)
  [ "$(sort -u <<<"$users" | wc -l)" -eq "$(wc -l <<<"$users")" ]
  for user in $users; do grep -q "^$user:" "$TREE/etc/passwd"; done
  grep -q '^todo:' "$TREE/etc/group"
  dear=$(grep -l '^MemoryMax=256M$' "$TREE"/usr/local/lib/systemd/system/*.service | sed -E 's/.*todo-(.*)@.*/\1/' | tr '\n' ' ')
  [[ $dear == *signin* && $dear == *signup* && $dear == *password_reset* && $dear != *task* ]]
}

@test "the settings file has every setting but those of make run, none of them set" {
  make_goal install DESTDIR="$TREE"
  file=$TREE/usr/local/etc/todo-fcgi/env
  missing=$(comm -23 <(sed -nE 's/^#([A-Z][A-Z0-9_]*)=.*/\1/p' "$TODO_ROOT/env/example.env" | sort -u) \
    <(sed -nE 's/^#([A-Z][A-Z0-9_]*)=.*/\1/p' "$file" | sort -u) | tr '\n' ' ')
  [ "$missing" = 'BIND PORT STATE_DIR WORKERS ' ]
  ! grep -qvE '^(#.*)?$' "$file"
  # systemd takes the rest of the line for the value.
  ! grep -E '^#[A-Z_]+=.*[[:space:]]#' "$file"
}

@test "the manual has no mistakes that mandoc or man finds, names the real places, and all options of the command" {
  make_goal install DESTDIR="$TREE" prefix=/opt/todo PROGRAM_PREFIX=my-
  pages=$(find "$TREE/opt/todo/share/man" -type f)
  [ "$(wc -l <<<"$pages")" -eq "$(ls "$TODO_ROOT"/env/man | wc -l)" ]
  for page in $pages; do
    run mandoc -T lint -W warning "$page"
    [ -z "$output" ]
    [ -z "$(MANWIDTH=100 man --warnings --local-file "$page" 2>&1 >/dev/null)" ]
  done
  grep -q /opt/todo/etc/todo-fcgi/env "$TREE/opt/todo/share/man/man8/todo-fcgi.8"
  page=$(man --local-file "$TREE/opt/todo/share/man/man1/my-todo-fcgi.1" | tr -s ' \n' ' ')
  for word in $("$TODO_ROOT/env/todo-fcgi" help | grep -oE '(--[a-z]+|^  [a-z]+)' | sort -u); do
    [[ $page == *"$word"* ]] || { echo "$word is not in the manual"; false; }
  done
}

@test "bash completes commands, verbs and options" {
  completed() {
    bash -c 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _todo_fcgi; echo "${COMPREPLY[*]}"' - \
      "$TODO_ROOT/env/completion.bash" "$@"
  }
  [ "$(completed todo-fcgi m)" = 'migrate maintenance' ]
  [ "$(completed todo-fcgi user re)" = reset-password ]
  [ "$(completed todo-fcgi --env x key '')" = 'list rotate' ]
  [ "$(completed todo-fcgi user add a@b.co --v)" = --verified ]
  # Every command that there is.
  for command in $("$TODO_ROOT/env/todo-fcgi" help | sed -nE 's/^  ([a-z]+).*/\1/p' | sort -u); do
    [[ " $(completed todo-fcgi '') " == *" $command "* ]]
  done
}

@test "usage, manual and completion of each command have the same options" {
  of_manual() { grep -oE 'Fl -[a-z-]+' "$TODO_ROOT/env/man/$1" | sed 's/^Fl -/--/' | sort -u; }
  of_usage() { grep -oE -- '--[a-z]+(-[a-z]+)*' | sort -u; }
  usage=$("$TODO_ROOT/env/todo-fcgi" help | of_usage)
  # The man page tells of "make run" and the like in words; "read-only" is todo-verify's.
  diff <(echo "$usage") <(of_manual todo-fcgi.1)
  verify=$(node "$TODO_ROOT/env/verify/main.mjs" --help | of_usage)
  diff <(echo "$verify") <(of_manual todo-verify.1)
  completed=$(of_usage <"$TODO_ROOT/env/completion.bash")
  diff <(printf '%s\n' "$usage" "$verify" | grep -vxE -- '--(help|version)' | sort -u) <(grep -vxE -- '--(help|version)' <<<"$completed")
}

@test "the bill of materials names what programs load, contain and start, at the versions that are here" {
  bill=$SCRATCH/sbom.json
  "$TODO_ROOT/env/sbom" "$TODO_BUILD" 9.8.7 >"$bill"
  version_of() { jq -r --arg name "$1" '.components[] | select(.name == $name) | .version' "$bill"; }
  for package in libpq5 libssl3 libfcgi0ldbl libutf8proc2 libc6 nlohmann-json3-dev nginx-light spawn-fcgi; do
    [ "$(version_of "$package")" = "$(dpkg-query -W -f '${Version}\n' "$package" | head -n 1)" ]
  done
  [ "$(version_of preact)" = "$(jq -r .dependencies.preact "$TODO_ROOT/nginx/pages/package.json")" ]
  [ -z "$(version_of typescript)$(version_of libgtest-dev)" ]
  [ "$(jq -r '.bomFormat + .specVersion + .metadata.component.version' "$bill")" = CycloneDX1.59.8.7 ]
  [ "$(jq '.components | length' "$bill")" = "$(jq '[.components[]."bom-ref"] | unique | length' "$bill")" ]
  run "$TODO_ROOT/env/sbom" "$TODO_BUILD"
  [ "$status" = 2 ]
}
