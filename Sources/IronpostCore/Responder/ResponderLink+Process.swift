/// How the responder is, as it says itself.
package struct ResponderHealth: Sendable, Equatable {
    package var epoch: UInt32
    package var pid: UInt32
    /// Effective capabilities, as in /proc/PID/status.
    package var capabilities: UInt64
    /// Verbs that are being carried out.
    package var running: UInt32
    /// Verbs that it knows, by number.
    package var verbs: [UInt8]
    package var usage: ProcessUsage

    package init(
        epoch: UInt32, pid: UInt32, capabilities: UInt64, running: UInt32, verbs: [UInt8], usage: ProcessUsage
    ) {
        self.usage = usage
        self.epoch = epoch
        self.pid = pid
        self.capabilities = capabilities
        self.running = running
        self.verbs = verbs
    }

    package func write(to writer: inout MessageWriter) {
        writer.write(epoch)
        writer.write(pid)
        writer.write(capabilities)
        writer.write(running)
        writer.write(verbs)
        writer.write(usage.cpuMilliseconds)
        writer.write(usage.residentBytes)
    }

    package init(from reader: inout MessageReader) throws(MessageFault) {
        epoch = try reader.integer(UInt32.self)
        pid = try reader.integer(UInt32.self)
        capabilities = try reader.integer(UInt64.self)
        running = try reader.integer(UInt32.self)
        verbs = try reader.bytes(max: 256)
        usage = ProcessUsage(
            cpuMilliseconds: try reader.integer(UInt64.self), residentBytes: try reader.integer(UInt64.self))
    }
}

/// One area of the responder, and what keeps it from working.
package struct ResponderTest: Sendable, Equatable {
    package var area: String
    /// nil: it could work now.
    package var fault: String?

    package init(area: String, fault: String?) {
        self.area = area
        self.fault = fault
    }
}

extension ResponderLink {
    package func health(timeout: Duration = .seconds(2)) async throws -> ResponderHealth {
        let reply = try await call(ResponderRequest(.health), timeout: timeout)
        return try reply.read { (reader) throws(MessageFault) in try ResponderHealth(from: &reader) }
    }

    package func selfTest(timeout: Duration = .seconds(10)) async throws -> [ResponderTest] {
        let reply = try await call(ResponderRequest(.selfTest), timeout: timeout)
        return try reply.read { (reader) throws(MessageFault) in
            try reader.list { (reader) throws(MessageFault) in
                ResponderTest(
                    area: try reader.text(),
                    fault: try reader.optional { (reader) throws(MessageFault) in try reader.text() }
                )
            }
        }
    }

    /// The configuration is read again; what is wrong with it is refused, and the one in force stays.
    /// - Parameter isDryRun: only looks whether it would be taken.
    package func reload(isDryRun: Bool = false, timeout: Duration = .seconds(10)) async throws {
        let reply = try await call(ResponderRequest(.reload) { $0.write(isDryRun) }, timeout: timeout)
        try reply.read { (_) throws(MessageFault) in () }
    }
}
