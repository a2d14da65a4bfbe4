import CKernelObject
package import CPacket
import Glibc
package import IronpostCore
import Synchronization

/// Reads the kernel's ring on a thread of its own, woken by the kernel.
package final class RingReader: Sendable {
    /// Records handed over at once.
    static let batch = 1024
    /// The longest that the thread sleeps, so that whoever listens can look at the clock.
    static let sleepMilliseconds: Int32 = 500

    package struct Fault: Error, CustomStringConvertible {
        package var description: String
    }

    /// Closed when neither the thread nor the reader holds it any more.
    @safe private final class Ring: @unchecked Sendable {
        let pointer: OpaquePointer
        private let descriptor: OwnedDescriptor
        private let stopping = Atomic<Bool>(false)

        init(_ pointer: OpaquePointer, _ descriptor: OwnedDescriptor) {
            unsafe self.pointer = pointer
            self.descriptor = descriptor
        }

        deinit { unsafe ip_ring_close(pointer) }

        var isStopping: Bool { stopping.load(ordering: .relaxed) }

        func stop() {
            stopping.store(true, ordering: .relaxed)
            unsafe ip_ring_wake(pointer)
        }
    }

    private let ring: Ring
    private let thread: PlainThread

    /// - Parameters:
    ///   - descriptor: of the ring.
    ///   - deliver: called on the thread with what came, also with nothing about every half second.
    package init(
        descriptor: OwnedDescriptor, bytes: Int, deliver: @escaping @Sendable (ArraySlice<ip_record>) -> Void
    ) throws(Fault) {
        guard let opened = unsafe ip_ring_open(descriptor.number, UInt32(bytes)) else {
            throw Fault(description: "the ring cannot be read: \(unsafe String(cString: strerror(errno)))")
        }
        let ring = unsafe Ring(opened, descriptor)
        self.ring = ring
        thread = PlainThread(name: "packets") {
            var records = [ip_record](repeating: ip_record(), count: Self.batch)
            while !ring.isStopping {
                unsafe ip_ring_wait(ring.pointer, Self.sleepMilliseconds)
                var count = Self.batch
                while count == Self.batch, !ring.isStopping {
                    count = unsafe ip_ring_read(ring.pointer, &records, Self.batch)
                    deliver(records[0..<count])
                }
            }
        }
    }

    package func requestStop() { ring.stop() }

    package func finished() async { await thread.join() }
}
