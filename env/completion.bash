# Completion of todo-fcgi(1) for bash.
# shellcheck shell=bash

_todo_fcgi() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' verb='' i choices=''
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --env) ((i++)) ;;
      -*) ;;
      *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; elif [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; fi ;;
    esac
  done
  if [[ $previous == --env ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  case $command in
    '') choices='migrate verify doctor call user key token maintenance version help --env' ;;
    migrate) choices=--status ;;
    verify | doctor) choices='--url --backend-env --frontend-env --frontend-url --embedded --routes --journeys --only --read-only --json --html' ;;
    call) if [[ -z $verb ]]; then choices='GET HEAD POST PUT PATCH DELETE OPTIONS'; else choices='--user --data --header --include --json /api/ /health /ready'; fi ;;
    user)
      case $verb in
        '') choices='list add reset-password delete' ;;
        list) choices='--limit --json' ;;
        add) choices='--name --verified --json' ;;
        *) choices=--json ;;
      esac ;;
    key) if [[ -z $verb ]]; then choices='list rotate'; else choices=--json; fi ;;
    token) choices='--user --json' ;;
    version) choices=--json ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
}

complete -F _todo_fcgi todo-fcgi
