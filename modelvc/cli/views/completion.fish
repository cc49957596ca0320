# Completion of mvc in fish. In ~/.config/fish/config.fish: mvc completion fish | source
function __mvc_complete
    set -l before (commandline -opc)
    set -l typed (commandline -ct)
    set -l word (string unescape -- "$typed"; or printf '%s\n' "$typed")
    set -l found (command mvc complete --word="$word" -- $before[2..-1] 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path "$typed"
    end
end
complete -c mvc -f -a '(__mvc_complete)'
