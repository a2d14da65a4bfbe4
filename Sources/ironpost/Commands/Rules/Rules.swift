import ArgumentParser

struct Rules: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "The rules that decide what is an alert.",
        discussion: "Example: ironpost rules list",
        subcommands: [
            RulesList.self, RulesValidate.self, RulesTest.self, RulesExplain.self, RulesCoverage.self,
            RulesInstall.self,
        ]
    )
}
