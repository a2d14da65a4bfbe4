/// What the kernel, or the engine itself, told of who caused an event. Text of a message is never among it.
package struct AttributionClues: Sendable, Hashable {
    /// The writer, from the kernel's credentials, as it was when the event was received.
    package var process: ProcessIdentity?
    /// Where the credentials named a writer that was gone, or another one, when it was looked at.
    package var lostProcess = false
    /// The number of the cgroup, from a kernel event.
    package var cgroup: UInt64?
    /// A path in the unified hierarchy that a trusted daemon recorded from the kernel (the journal's `_SYSTEMD_CGROUP`).
    package var cgroupPath: String?
    /// The network namespace in which a kernel event happened.
    package var networkNamespace: UInt64?
    /// The host's interface by which a packet came in.
    package var ingressLink: UInt32?
    /// The container whose log, written by the engine, holds the event.
    package var logStream: ContainerID?
    /// Correlated events came from different writers, or from writers that nobody vouches for.
    package var isMixed = false

    package init() {}

    package var isEmpty: Bool { self == AttributionClues() }
}

package enum Attribution: Sendable, Hashable {
    /// Proved; the reference names the proof.
    case container(ContainerReference)
    /// Proved to be no container's.
    case host
    /// Nothing proves whose it is; why, in words for people.
    case unproved(String)
}

/// Says which container an event belongs to. Called for every alert before it is committed: answers from memory.
package protocol Attributor: Sendable {
    /// - Parameters:
    ///   - time: of the event.
    ///   - addresses: of the event, hints at most: told in the words, never a proof.
    func attribute(_ clues: AttributionClues, at time: Timestamp, addresses: [String]) -> Attribution
}
