import CKernelObject
import CPacket
import EBPFEngine
import Foundation
import PacketDetection
import Testing

/// One loaded program for a test, without any interface.
enum Kernel {
    /// Why programs cannot be loaded here; nil where they can.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "loading kernel programs takes root" }
        do {
            _ = try KernelProgram(.init(owner: 7, withTests: true))
            return nil
        } catch {
            return "\(error)"
        }
    }()

    static var isThere: Bool { obstacle == nil }

    static func load(entries: Int = 1_000_000) throws -> KernelProgram {
        let program = try KernelProgram(
            .init(ringBytes: 1 << 20, listEntries: entries, owner: UInt32(getpid()), withTests: true))
        var settings = program.settings
        settings.mode = IP_MODE_ENFORCE.rawValue
        settings.detects = 1
        settings.seed = 1
        settings.budget = (1000, 1000, 1000, 1000, 1000, 1000)
        program.set(settings)
        return program
    }

    static let pass: UInt32 = 2
    static let drop: UInt32 = 1

    /// Nanoseconds on the clock by which lists end.
    static var now: UInt64 {
        var value = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &value)
        return UInt64(value.tv_sec) * 1_000_000_000 + UInt64(value.tv_nsec)
    }
}

/// Frames made by hand.
enum Frame {
    static func tcp(
        from: [UInt8] = [203, 0, 113, 7], to: [UInt8] = [192, 0, 2, 1], port: UInt16 = 80, flags: UInt8 = 16,
        vlans: Int = 0, fragment: UInt16 = 0
    ) -> [UInt8] {
        let segment = big(40000) + big(port) + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]
        return ethernet(4, vlans, ipv4(6, from, to, fragment, segment))
    }

    static func udp(from: [UInt8] = [203, 0, 113, 7], to: [UInt8] = [192, 0, 2, 1], port: UInt16 = 53) -> [UInt8] {
        ethernet(4, 0, ipv4(17, from, to, 0, big(40000) + big(port) + big(9) + [0, 0, 1]))
    }

    static func tcp6(from last: UInt8, port: UInt16 = 80, flags: UInt8 = 16) -> [UInt8] {
        let segment = big(40000) + big(port) + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]
        let prefix: [UInt8] = [0x20, 1, 0x0D, 0xB8]
        let source = prefix + [UInt8](repeating: 0, count: 11) + [last]
        let destination = prefix + [UInt8](repeating: 0, count: 10) + [1, 1]
        return ethernet(6, 0, [0x60, 0, 0, 0] + big(UInt16(segment.count)) + [6, 64] + source + destination + segment)
    }

    private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    private static func ipv4(
        _ proto: UInt8, _ from: [UInt8], _ to: [UInt8], _ fragment: UInt16, _ payload: [UInt8]
    ) -> [UInt8] {
        [0x45, 0] + big(UInt16(20 + payload.count)) + [0, 1] + big(fragment) + [64, proto, 0, 0] + from + to + payload
    }

    private static func ethernet(_ version: Int, _ vlans: Int, _ payload: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
        for _ in 0..<vlans { frame += big(0x8100) + big(7) }
        return frame + big(version == 4 ? 0x0800 : 0x86DD) + payload
    }
}

func rule(
    _ text: String, _ action: NetworkRule.Action = .block, port: UInt16 = 0, proto: UInt8 = 0, expires: UInt64 = 0
) throws -> NetworkRule {
    NetworkRule(try #require(NetworkPrefix(text)), port: port, proto: proto, action: action, expires: expires)
}
