/// A container's id: 64 hexadecimal digits, as Docker, Podman, containerd and CRI-O make them. Nothing else is taken for
/// one, so it can stand in a path or a URL.
package struct ContainerID: Sendable, Hashable, Comparable, CustomStringConvertible {
    package static let digits = 64
    package let text: String

    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == Self.digits,
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else { return nil }
        self.text = String(text)
    }

    /// What people are shown.
    package var short: String { String(text.prefix(12)) }
    package var description: String { text }

    package static func < (left: ContainerID, right: ContainerID) -> Bool { left.text < right.text }
}
