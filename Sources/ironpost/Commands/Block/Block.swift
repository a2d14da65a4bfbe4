import ArgumentParser

struct BlockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block", abstract: "Block addresses, each for a time; see and lift what is blocked.",
        discussion: "Example: ironpost block add 203.0.113.7 --ttl 4h --reason \"port scan\"",
        subcommands: [BlockAdd.self, BlockRemove.self, BlockList.self, BlockImportCommand.self, BlockFlush.self]
    )
}
