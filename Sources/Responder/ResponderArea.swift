import EBPFEngine
package import IronpostCore
import Logging

/// A group of verbs with the same dangerous thing behind them: log files, block lists, containers, BPF. One folder each.
///
/// An area trusts nobody: it checks by itself what it is asked for, and every verb of it can be repeated. Verbs of one
/// area may run at the same time.
package protocol ResponderArea: Sendable {
    /// In self-tests and log lines.
    var name: String { get }

    var verbs: [ResponderVerb] { get }

    /// Carries one verb out, on a plain thread. The reader stands at the verb's own body; read it to its end.
    /// - Throws: `Refusal` for what is not allowed; a `MessageFault` counts as refused too; anything else is a failure.
    func answer(
        _ verb: ResponderVerb, _ reader: inout MessageReader, descriptors: [OwnedDescriptor]
    ) throws -> ResponderReply

    /// Why it could not do its work now; nil when it could.
    func selfTest() -> String?

    /// Takes the parts of the configuration that concern it, at a reload.
    func take(_ configuration: Configuration)

    /// The core is gone: what only waits for something to happen waits no longer; what acts goes on to its end.
    func stopWaiting()
}

extension ResponderArea {
    package func stopWaiting() {}
}

/// What the responder does not do, and why.
package struct Refusal: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// The one list of areas.
enum ResponderAreas {
    static func make(_ configuration: Configuration, logger: Logger) -> [any ResponderArea] {
        let kernel = KernelHost(configuration.ebpf, dataDirectory: configuration.general.dataDirectory)
        return [
            LogFileArea(configuration),
            BlockArea(configuration, backend: ChosenBackend(configuration.response.blockBackend, host: kernel)),
            KernelArea(kernel),
            ContainerArea(configuration, logger: logger),
        ]
    }
}
