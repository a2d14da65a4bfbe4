/// How it is known that an alert's source address is the one that acted, and not one that somebody wrote down.
///
/// Decided where the address was read, never by the name of a field: a line can carry any field.
package struct AddressProof: Sendable, Hashable {
    package enum Origin: String, Sendable, CaseIterable {
        /// A daemon that speaks over connections wrote its peer's address in the fixed place of its own message.
        case daemonField = "daemon_field"
        /// The kernel saw the address complete a handshake.
        case handshake
    }

    /// How sure it is, from least to most.
    package enum Confidence: String, Sendable, CaseIterable, Comparable {
        /// The message stands in a file that only the system writes; which program wrote the line is not known.
        case file
        /// The journal, or the peer credentials of a socket, say that the daemon itself wrote it.
        case trustedWriter = "trusted_writer"
        /// The kernel's own word.
        case kernel

        package static func < (left: Confidence, right: Confidence) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .file: 1
            case .trustedWriter: 2
            case .kernel: 3
            }
        }
    }

    package var origin: Origin
    package var confidence: Confidence

    package init(origin: Origin, confidence: Confidence) {
        self.origin = origin
        self.confidence = confidence
    }
}

extension Alert {
    /// What repeated alerts of a rule are folded by. One that is better proven is an alert of its own: what was decided
    /// about the first would otherwise be all that is ever decided.
    package var foldingGroup: [Field] {
        var group = group
        if let srcIPProof { group.append(Field("src_ip_proof", srcIPProof.confidence.rawValue)) }
        // What is decided about one container is decided about that one.
        if let container { group.append(Field("container", container.id)) }
        return group
    }
}
