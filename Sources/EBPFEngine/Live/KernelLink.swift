package import IronpostCore
package import PacketDetection

/// The kernel side as the core asks for it: typed calls over the responder's link.
package struct KernelLink: Sendable {
    private let link: any ResponderLink

    package init(_ link: any ResponderLink) {
        self.link = link
    }

    package struct Started: Sendable {
        package var state: KernelState
        package var ring: OwnedDescriptor
        package var ringBytes: Int
    }

    package func start(timeout: Duration = .seconds(20)) async throws -> Started {
        let reply = try await link.call(ResponderRequest(.kernelStart), timeout: timeout)
        let (bytes, state) = try reply.read { (reader) throws(MessageFault) in
            (Int(clamping: try reader.integer(UInt64.self)), try KernelState(&reader))
        }
        guard let ring = reply.descriptors.first else {
            throw ResponderError.failed("the responder's answer has no descriptor")
        }
        return Started(state: state, ring: ring, ringBytes: bytes)
    }

    package func state(timeout: Duration = .seconds(5)) async throws -> KernelState {
        try await link.call(ResponderRequest(.kernelState), timeout: timeout).read { (reader) throws(MessageFault) in
            try KernelState(&reader)
        }
    }

    /// Has the responder read its configuration again.
    package func reload() async throws { try await link.reload() }

    /// When the address last completed a handshake, on CLOCK_BOOTTIME. For a plain thread.
    package func proof(of address: PacketAddress, timeout: Duration = .milliseconds(500)) throws -> UInt64? {
        let request = ResponderRequest(.kernelProof) { $0.write(address.description) }
        return try link.callBlocking(request, timeout: timeout).read { (reader) throws(MessageFault) in
            try reader.optional { (reader) throws(MessageFault) in try reader.integer(UInt64.self) }
        }
    }

    /// - Parameter keepsBlocks: stay attached where there is something to block.
    package func stop(keepsBlocks: Bool, timeout: Duration = .seconds(5)) async throws {
        _ = try await link.call(ResponderRequest(.kernelStop) { $0.write(keepsBlocks) }, timeout: timeout)
    }
}
