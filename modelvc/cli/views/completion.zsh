#compdef mvc
# Completion of mvc in zsh. In ~/.zshrc, after compinit: eval "$(mvc completion zsh)"
_mvc() {
    local -a found values
    found=("${(@f)$(command mvc complete --word="${(Q)PREFIX}" -- "${(@Q)words[2,CURRENT-1]}" 2>/dev/null)}")
    found=(${found:#})
    values=(${(M)found:#*=})
    found=(${found:#*=})
    (( $#values )) && compadd -S '' -a values
    (( $#found )) && compadd -a found
    (( $#values + $#found )) || _files
}
if [[ $funcstack[1] == _mvc ]]; then
    _mvc "$@"
else
    compdef _mvc mvc
fi
