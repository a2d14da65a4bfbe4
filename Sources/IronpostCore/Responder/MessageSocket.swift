import CLinux
import Glibc

/// One end of the socket between core and responder: whole messages, with descriptors. Any thread may send; one receives.
package struct MessageSocket: Sendable {
    package enum Received: Sendable {
        case message(ResponderMessage, [OwnedDescriptor])
        /// Nothing there now.
        case nothing
        /// Something that is no message; it is gone.
        case malformed(String)
        /// The other side is gone.
        case ended
    }

    package let descriptor: OwnedDescriptor

    package init(_ descriptor: OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// - Returns: 0, or the error number: EAGAIN when the other side is behind and `wait` is false.
    /// - Throws: when the message is too large to be one.
    package func send(
        _ message: ResponderMessage, descriptors: [OwnedDescriptor] = [], wait: Bool
    ) throws(MessageFault) -> Int32 {
        let bytes = try message.encoded()
        guard descriptors.count <= MessageBounds.descriptorsMax else {
            throw MessageFault("has \(descriptors.count) descriptors where \(MessageBounds.descriptorsMax) are allowed")
        }
        let numbers = descriptors.map(\.number)
        let result = unsafe ip_send_message(
            descriptor.number, bytes, bytes.count, numbers, numbers.count, wait ? 1 : 0
        )
        // Numbers mean the open files only while somebody holds them.
        return withExtendedLifetime(descriptors) { -result }
    }

    /// The other side sees the end, whoever else holds a copy of the descriptor.
    package func end() { shutdown(descriptor.number, Int32(SHUT_RDWR)) }

    /// Waits until there is something to receive, or the other side is gone, or the time has passed.
    package func wait(milliseconds: Int32) {
        var polled = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&polled, 1, milliseconds)
    }

    /// - Parameter buffer: of `MessageBounds.bytesMax`, used again and again.
    package func receive(_ buffer: inout [UInt8]) -> Received {
        var numbers = [Int32](repeating: -1, count: Int(IP_MESSAGE_DESCRIPTORS_MAX))
        var count = 0
        let result = unsafe ip_receive_message(descriptor.number, &buffer, buffer.count, &numbers, &count)
        let descriptors = numbers.prefix(count).map { OwnedDescriptor($0) }
        switch result {
        case 0: return .ended
        case Int64(-EAGAIN): return .nothing
        case ..<0: return .malformed("cannot be received: \(unsafe String(cString: strerror(Int32(-result))))")
        default:
            do throws(MessageFault) {
                return .message(try ResponderMessage(decoding: Array(buffer[..<Int(result)])), descriptors)
            } catch {
                return .malformed(error.description)
            }
        }
    }
}
