internal import ContainerEngine
import Glibc
package import IronpostCore
package import Logging
internal import Synchronization

/// Containers: holds the engine's socket, tells what changed, opens logs that the engine writes, and isolates.
///
/// Follows the engine from the first request on.
package final class ContainerArea: ResponderArea {
    /// The longest that a request for changes waits.
    static let patienceMax = Duration.seconds(10)

    package let name = "containers"
    package let verbs: [ResponderVerb] = [
        .containerChanges, .openContainerLog, .prepareContainer, .isolateContainer, .verifyContainer, .releaseContainer,
    ]

    private struct Held {
        var configuration: Configuration
        var inventory: ContainerInventory?
        var isolation: ContainerIsolation?
    }

    private let logger: Logger
    private let held: Mutex<Held>

    package init(_ configuration: Configuration, logger: Logger) {
        self.logger = logger
        held = Mutex(Held(configuration: configuration))
    }

    package func take(_ configuration: Configuration) {
        let old = held.withLock { held in
            let isSame =
                held.configuration.container == configuration.container
                && held.configuration.response == configuration.response
            held.configuration = configuration
            held.isolation?.take(configuration)
            guard !isSame else { return ContainerInventory?.none }
            defer {
                held.inventory = nil
                held.isolation = nil
            }
            return held.inventory
        }
        old?.stop()
    }

    package func stopWaiting() { held.withLock { $0.inventory }?.stopWaiting() }

    package func selfTest() -> String? {
        let inventory = held.withLock { $0.inventory }
        guard let inventory, inventory.engine.link == .lost else { return nil }
        return inventory.engine.reason
    }

    package func answer(
        _ verb: ResponderVerb, _ reader: inout MessageReader, descriptors: [OwnedDescriptor]
    ) throws -> ResponderReply {
        let (inventory, isolation) = try opened()
        switch verb {
        case .containerChanges:
            let cursor = try ContainerCursor(from: &reader)
            let engine = try reader.optional { (reader) throws(MessageFault) in try EngineState(from: &reader) }
            let patience = Duration.milliseconds(Int64(try reader.integer(UInt32.self)))
            try reader.finish()
            return changes(inventory, since: cursor, engine: engine, patience: min(patience, Self.patienceMax))
        case .openContainerLog:
            let id = try ContainerID(from: &reader)
            try reader.finish()
            guard let record = inventory[id] else { throw Refusal("container \(id.short) is not known") }
            return ResponderReply(descriptors: [try ContainerLogFile.open(record)])
        default:
            let order = try ContainerOrder(from: &reader)
            try reader.finish()
            let outcome = try isolation.carryOut(verb, order)
            return ResponderReply { outcome.write(to: &$0) }
        }
    }

    private func opened() throws -> (ContainerInventory, ContainerIsolation) {
        try held.withLock { held in
            let container = held.configuration.container
            guard container.isEnabled else { throw Refusal("container.enabled is false") }
            if let inventory = held.inventory, let isolation = held.isolation { return (inventory, isolation) }
            let inventory = ContainerInventory(socketPath: container.socketInForce, logger: logger)
            let isolation = ContainerIsolation(inventory, held.configuration, logger: logger)
            held.inventory = inventory
            held.isolation = isolation
            _ = PlainThread(name: "containers") { inventory.follow() }
            return (inventory, isolation)
        }
    }

    private func changes(
        _ inventory: ContainerInventory, since cursor: ContainerCursor, engine: EngineState?, patience: Duration
    ) -> ResponderReply {
        var room = MessageBounds.bytesMax - ContainerChanges.overheadBytesMax
        var count = MessageBounds.countMax
        let changes = inventory.changes(since: cursor, engine: engine, patience: patience) { record in
            var size = MessageWriter()
            record?.write(to: &size)
            room -= record == nil ? ContainerID.digits + 4 : size.bytes.count
            count -= 1
            return room >= 0 && count >= 0
        }
        return ResponderReply { changes.write(to: &$0) }
    }
}
