# Sourced by bash scripts: the settings of this checkout. From the process environment, else from
# env/.env, else the default. The file is read, never executed.
# shellcheck shell=bash

# The names that env/example.env lists: what the programs read, and what is passed on to them.
setting_names() {
  sed -nE 's/^#?([A-Z][A-Z0-9_]*)=.*/\1/p' "$1/example.env" | sort -u
}

# load_settings FOLDER: exports each setting that FOLDER/.env has and the environment has not.
load_settings() { load_settings_file "$1/.env"; }

# load_settings_file FILE: NAME=value; `export` before it, quotes around the value, comments and CR at
# the end are dropped. Of two lines for one name the last counts, as it does for systemd. A file that
# is not there has nothing.
load_settings_file() {
  local file=$1 line name value
  local -A values=()
  [[ -r $file ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line%$'\r'}
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)[[:space:]]*=[[:space:]]*(.*)$ ]] || continue
    name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
    case $value in
      \"*\"*) value=${value#\"} value=${value%%\"*} ;;
      \'*\'*) value=${value#\'} value=${value%%\'*} ;;
      *)
        value=${value%%[[:space:]]#*}
        [[ $value != \#* ]] || value=
        value=${value%"${value##*[![:space:]]}"}
        ;;
    esac
    values[$name]=$value
  done <"$file"
  for name in "${!values[@]}"; do
    [[ -n ${!name+set} ]] || export "$name=${values[$name]}"
  done
}
