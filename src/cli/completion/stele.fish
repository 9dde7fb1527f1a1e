# Completion of stele for fish: the script is that of the installed program
stele completion fish | source
