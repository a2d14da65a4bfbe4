import ArgumentParser

struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Print a shell's completion script.",
        discussion: "Example: ironpost completions bash > /etc/bash_completion.d/ironpost"
    )

    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    @OptionGroup var global: GlobalOptions

    func run() throws {
        let script =
            switch shell {
            case .bash: Ironpost.completionScript(for: .bash)
            case .zsh: Ironpost.completionScript(for: .zsh)
            case .fish: Ironpost.completionScript(for: .fish)
            }
        Output.write(script)
    }
}
