package import CKernelObject
package import CPacket
import Glibc
package import PacketDetection
import Synchronization

/// The kernel program of one owner: loaded, attached, and its maps. Safe from any thread.
///
/// Letting go of it leaves attached what is attached: blocks go on while nobody of ours runs, and end by themselves.
@safe package final class KernelProgram: Sendable {
    package struct Options: Sendable, Equatable {
        /// A power of two, of whole pages.
        package var ringBytes: Int
        /// Prefixes that one list may hold.
        package var listEntries: Int
        /// Names the data directory: programs of others are left alone.
        package var owner: UInt32
        /// Loads what only tests and measurements use.
        package var withTests: Bool

        package init(ringBytes: Int = 1 << 20, listEntries: Int = 1_000_000, owner: UInt32, withTests: Bool = false) {
            self.ringBytes = ringBytes
            self.listEntries = listEntries
            self.owner = owner
            self.withTests = withTests
        }
    }

    package struct Fault: Error, CustomStringConvertible, Hashable {
        package var description: String
        package var code: Int32

        package init(_ description: String, code: Int32 = 0) {
            self.description = description
            self.code = code
        }
    }

    @safe private struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private let handle: Mutex<Handle>
    package let options: Options
    /// Lists and settings of an earlier run were found in the kernel and go on.
    package let isAdopted: Bool
    /// Why completed handshakes cannot be seen; nil when they can.
    package let handshakeFault: String?
    package let programID: UInt32

    /// - Parameter interfaces: where an earlier run may have left its program.
    package init(_ options: Options, interfaces: [UInt32] = []) throws(Fault) {
        self.options = options
        var raw = ip_kernel_options(
            ring_bytes: UInt32(clamping: options.ringBytes), list_entries: UInt32(clamping: options.listEntries),
            owner: options.owner, with_tests: options.withTests ? 1 : 0
        )
        var message = [CChar](repeating: 0, count: 512)
        guard
            let kernel = unsafe ip_kernel_load(
                &raw, interfaces, interfaces.count, &message, message.count)
        else {
            throw Fault(Self.text(message))
        }
        isAdopted = unsafe ip_kernel_is_adopted(kernel) != 0
        handshakeFault =
            unsafe ip_kernel_sees_handshakes(kernel) != 0
            ? nil : unsafe String(cString: ip_kernel_handshake_error(kernel))
        programID = unsafe ip_kernel_program_id(kernel)
        handle = unsafe Mutex(Handle(pointer: kernel))
    }

    deinit {
        handle.withLock { unsafe ip_kernel_close($0.pointer) }
    }

    private static func text(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func check(_ result: Int32, _ what: @autoclosure () -> String) throws(Fault) {
        guard result < 0 else { return }
        throw Fault("\(what()): \(unsafe String(cString: strerror(-result)))", code: -result)
    }

    // MARK: - Interfaces

    /// How the program sees an interface's packets.
    package enum Attachment: UInt32, Sendable, CaseIterable {
        /// In the driver.
        case native = 1
        /// Where every driver hands packets over.
        case skb = 2
        /// Behind it, in traffic control: where no XDP program can be, or another's is.
        case tc = 3

        package var word: String { "\(self)" }
    }

    /// How this program is attached there now; nil for not at all.
    package func attachment(to interface: UInt32) throws(Fault) -> Attachment? {
        let kind = handle.withLock { unsafe ip_kernel_query($0.pointer, interface) }
        try Self.check(kind, "cannot ask what is attached")
        return Attachment(rawValue: UInt32(kind))
    }

    package func attach(_ interface: UInt32, _ kind: Attachment) throws(Fault) {
        let result = handle.withLock {
            unsafe ip_kernel_attach($0.pointer, interface, ip_attachment(rawValue: kind.rawValue))
        }
        if result == -EBUSY || result == -EEXIST {
            throw Fault(
                kind == .tc
                    ? "another program of traffic control is attached there in its place"
                    : "another XDP program is attached there; it was left alone", code: EBUSY)
        }
        try Self.check(result, kind == .skb ? "cannot attach" : "cannot attach in \(kind.word) mode")
    }

    /// Takes an owner's program off an interface; whether there was one.
    /// - Throws: also, with EBUSY, where another's program is; that is left alone.
    @discardableResult
    package static func detach(owner: UInt32, from interface: UInt32) throws(Fault) -> Bool {
        let result = ip_kernel_detach(owner, interface)
        try check(result, "cannot detach")
        return result == 1
    }

    // MARK: - Settings, counters, proofs

    package var settings: ip_settings {
        handle.withLock {
            var settings = ip_settings()
            _ = unsafe ip_kernel_settings($0.pointer, &settings)
            return settings
        }
    }

    /// In force with the next packet.
    package func set(_ settings: ip_settings) {
        var settings = settings
        handle.withLock { _ = unsafe ip_kernel_set($0.pointer, &settings) }
    }

    package func counters() throws(Fault) -> ip_counters {
        var counters = ip_counters()
        try Self.check(
            handle.withLock { unsafe ip_kernel_counters($0.pointer, &counters) }, "cannot read counters")
        return counters
    }

    /// When this address last completed a handshake here, in nanoseconds of CLOCK_BOOTTIME.
    package func proof(of address: PacketAddress) -> UInt64? {
        handle.withLock {
            var when: UInt64 = 0
            return unsafe ip_kernel_proof($0.pointer, address.raw, &when) == 0 ? when : nil
        }
    }

    /// A second descriptor of the ring, for the caller to close.
    package func ringDescriptor() throws(Fault) -> Int32 {
        let copy = handle.withLock { fcntl(unsafe ip_kernel_ring($0.pointer), F_DUPFD_CLOEXEC, 3) }
        try Self.check(copy < 0 ? -errno : 0, "cannot hand over the ring")
        return copy
    }

    /// Instructions that the verifier followed; 0 where the kernel does not tell.
    package func verifiedInstructions(of program: String) -> Int {
        handle.withLock { Int(unsafe ip_kernel_verified($0.pointer, program)) }
    }

    // MARK: - Lists

    package func add(_ entries: [ip_list_entry], to list: ListName) throws(Fault) {
        guard !entries.isEmpty else { return }
        var done = 0
        let result = handle.withLock {
            unsafe ip_kernel_list_add($0.pointer, list.rawValue, entries, entries.count, &done)
        }
        if result == -ENOSPC {
            throw Fault(
                "the list is full: \(done) of \(entries.count) entries were taken; "
                    + "ebpf.blocklist_max_entries is \(options.listEntries)",
                code: ENOSPC)
        }
        try Self.check(result, "cannot add to the list")
    }

    package func remove(_ entries: [ip_list_entry], from list: ListName) throws(Fault) {
        guard !entries.isEmpty else { return }
        let result = handle.withLock {
            unsafe ip_kernel_list_remove($0.pointer, list.rawValue, entries, entries.count)
        }
        try Self.check(result, "cannot remove from the list")
    }

    /// Exchanges the whole list at once.
    package func replace(_ list: ListName, with entries: [ip_list_entry]) throws(Fault) {
        guard entries.count <= options.listEntries else {
            throw Fault(
                "\(entries.count) entries do not fit: ebpf.blocklist_max_entries is \(options.listEntries)",
                code: ENOSPC)
        }
        let result = handle.withLock {
            unsafe ip_kernel_list_replace($0.pointer, list.rawValue, entries, entries.count)
        }
        try Self.check(result, "cannot exchange the list")
    }

    package func read(_ list: ListName, max: Int) throws(Fault) -> [ip_list_entry] {
        var entries = [ip_list_entry](repeating: ip_list_entry(), count: max)
        let count = handle.withLock {
            unsafe ip_kernel_list_read($0.pointer, list.rawValue, &entries, max)
        }
        try Self.check(Int32(clamping: min(0, count)), "cannot read the list")
        return Array(entries.prefix(Int(count)))
    }

    package func set(_ scopes: ip_scopes, at place: UInt32) throws(Fault) {
        var scopes = scopes
        try Self.check(
            handle.withLock { unsafe ip_kernel_scopes_set($0.pointer, place, &scopes) }, "cannot set a rule for a port")
    }

    package func scopes(at place: UInt32) throws(Fault) -> ip_scopes {
        var scopes = ip_scopes()
        try Self.check(
            handle.withLock { unsafe ip_kernel_scopes_read($0.pointer, place, &scopes) },
            "cannot read a rule for a port")
        return scopes
    }

    // MARK: - Running without an interface

    package struct Run: Sendable {
        package var verdict: UInt32
        /// Mean of one packet.
        package var nanoseconds: Int
    }

    package func run(_ program: String, on frame: [UInt8], repeats: Int = 1) throws(Fault) -> Run {
        var verdict: UInt32 = 0
        var duration: UInt32 = 0
        let result = handle.withLock {
            unsafe ip_kernel_run(
                $0.pointer, program, frame, UInt32(frame.count), UInt32(repeats), &verdict, &duration)
        }
        try Self.check(result, "cannot run \(program)")
        return Run(verdict: verdict, nanoseconds: Int(duration))
    }

    /// What the kernel's parser made of the frame that `parsed` was run on last.
    package func parsed() throws(Fault) -> ip_packet {
        var packet = ip_packet()
        try Self.check(handle.withLock { unsafe ip_kernel_parsed($0.pointer, &packet) }, "cannot read the result")
        return packet
    }
}

package enum ListName: UInt32, Sendable, CaseIterable {
    case allow = 0
    case deny = 1
}
