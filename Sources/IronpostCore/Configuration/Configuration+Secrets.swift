extension Configuration {
    /// The texts in this configuration that must never be shown, so that whoever passes on what others wrote can look
    /// for them: values of secret keys, and the user information of URLs as a whole and its password alone.
    package var secretTexts: [String] { secretTexts(keys: ConfigurationKey.all) }

    func secretTexts(keys: [ConfigurationKey]) -> [String] {
        keys.flatMap { key in
            let texts: [String] =
                switch key.value(self) {
                case .string(let text): [text]
                case .list(let items): items
                case .table(let lists): lists.values.flatMap { $0 }
                case .integer(let number): key.isSecret ? ["\(number)"] : []
                case .number, .boolean: []
                }
            return key.isSecret ? texts : texts.flatMap(Self.userInformation)
        }.filter { !$0.isEmpty }
    }

    private static func userInformation(of url: String) -> [String] {
        let masked = ConfigurationText.maskingUserInformation(url)
        guard masked != url, let mask = masked.firstRange(of: "://***")?.upperBound else { return [] }
        let before = masked.distance(from: masked.startIndex, to: mask) - Secret<String>.mask.count
        let behind = masked.distance(from: mask, to: masked.endIndex)
        let information = url.dropFirst(before).dropLast(behind)
        let password = information.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).dropFirst()
        return [String(information)] + password.map(String.init)
    }
}
