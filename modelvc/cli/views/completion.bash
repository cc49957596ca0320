# Completion of mvc in bash. In ~/.bashrc: eval "$(mvc completion bash)"
_mvc() {
    local name
    COMPREPLY=()
    while IFS= read -r name; do
        if [[ $name == *= ]]; then
            compopt -o nospace 2>/dev/null
        fi
        COMPREPLY+=("$name")
    done < <(command mvc complete --bash="$2" -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o default -F _mvc mvc
