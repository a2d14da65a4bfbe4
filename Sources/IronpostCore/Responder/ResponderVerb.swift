/// What the responder can be asked. The numbers are the protocol's: a range for each area, never used twice.
///
/// 0–15 the process, 16–31 files and journals, 32–63 blocks, 64–95 containers and cgroups, 96–127 BPF.
package enum ResponderVerb: UInt8, CaseIterable, Sendable {
    /// How it is: epoch, pid, capabilities, verbs under way.
    case health = 0
    /// Every area tries whether it could do its work.
    case selfTest = 1
    /// Read the configuration again from where it was read at the start.
    case reload = 2

    /// Open a log file that the configuration names.
    case openLogFile = 16
    /// The files that exist now for the configuration's patterns, also in directories closed to the core's user.
    case listLogFiles = 17
    /// Open the journal files of the journal directory that the configuration names.
    case openJournal = 18

    /// Block addresses, each for a time.
    case addBlocks = 32
    case removeBlocks = 33
    /// Everything that is blocked, with the time that is left, in a file of its own.
    case listBlocks = 34
    case flushBlocks = 35
    /// A number that changes when anybody changes the kernel's tables.
    case blockGeneration = 36
    /// Load the kernel program as the configuration says, attach it, and hand over the ring.
    case kernelStart = 96
    /// Attach to what came, let go of what went, and say how it is.
    case kernelState = 97
    /// When an address last completed a handshake here.
    case kernelProof = 98
    /// Detach, unless blocks are to go on.
    case kernelStop = 99

    /// What changed among the containers; waits for it.
    case containerChanges = 64
    /// Open the log that the engine writes for a container.
    case openContainerLog = 65
    /// Look up what acting on a container, and undoing it, needs.
    case prepareContainer = 66
    case isolateContainer = 67
    case verifyContainer = 68
    case releaseContainer = 69

    /// Whether it may take seconds: such verbs have threads of their own, so that the others never wait for them.
    package var isLong: Bool { (64...95).contains(rawValue) }
}
