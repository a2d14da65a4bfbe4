import Testing

@testable import IronpostCore

/// The texts of a configuration that are never shown.
struct SecretTextsTests {
    @Test func `user information of URLs, and values of secret keys`() {
        var configuration = Configuration()
        #expect(configuration.secretTexts == [])
        configuration.sbom.vulnDBURL = "https://bob:pa:ss@mirror.example.org/db"
        #expect(configuration.secretTexts == ["bob:pa:ss", "pa:ss"])
        configuration.sbom.vulnDBURL = "https://token@mirror.example.org/db"
        #expect(configuration.secretTexts == ["token"])
        let key = ConfigurationKey("general.node_name", \.general.nodeName, .string, "A name.", isSecret: true)
        configuration.general.nodeName = "hidden"
        #expect(configuration.secretTexts(keys: [key]) == ["hidden"])
    }
}
