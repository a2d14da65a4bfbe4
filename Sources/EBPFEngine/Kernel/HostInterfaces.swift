import CKernelObject
import Glibc

/// The interfaces of this network namespace, and which of them a configuration means.
package enum HostInterfaces {
    /// Stands for the interface of the default route, where watching it changes nothing in its driver.
    package static let automatic = "auto"

    package struct Choice: Sendable, Equatable {
        /// In the order of their numbers.
        package var chosen: [Interface]
        /// What was asked for and is not to be had, and why.
        package var faults: [String]
    }

    package struct Interface: Sendable, Hashable {
        package var name: String
        package var index: UInt32

        package init(name: String, index: UInt32) {
            self.name = name
            self.index = index
        }
    }

    /// - Parameter patterns: names, shell patterns, or `auto`.
    package static func choose(_ patterns: [String], native: Bool) -> Choice {
        let all = all()
        var chosen: Set<Interface> = []
        var faults: [String] = []
        for pattern in patterns {
            if pattern == automatic {
                let names = defaultRoutes()
                if names.isEmpty { faults.append("auto: this host has no default route") }
                for name in names {
                    guard let interface = all.first(where: { $0.name == name }) else { continue }
                    if !native, let change = driverChange(name) {
                        faults.append("\(name): \(change); name it in ebpf.interfaces to watch it all the same")
                    } else {
                        chosen.insert(interface)
                    }
                }
                continue
            }
            let matching = all.filter { unsafe fnmatch(pattern, $0.name, 0) == 0 }
            chosen.formUnion(matching)
            if matching.isEmpty { faults.append("\(pattern): there is no such interface now") }
        }
        return Choice(chosen: chosen.sorted { $0.index < $1.index }, faults: faults)
    }

    /// What generic mode would switch off in the driver; nil when nothing.
    static func driverChange(_ name: String) -> String? {
        switch unsafe ip_interface_offloads(name) {
        case 1: "watching would switch off its large receive offload (rx-lro)"
        case 2: "watching would switch off its receive offload in hardware (rx-gro-hw)"
        default: nil
        }
    }

    static func all() -> [Interface] {
        guard let list = unsafe if_nameindex() else { return [] }
        defer { unsafe if_freenameindex(list) }
        var found: [Interface] = []
        var at = 0
        while unsafe list[at].if_index != 0, let name = unsafe list[at].if_name {
            found.append(Interface(name: unsafe String(cString: name), index: unsafe list[at].if_index))
            at += 1
        }
        return found
    }

    /// From the kernel's routing tables: destination and mask zero, and up.
    static func defaultRoutes() -> [String] {
        var names: [String] = []
        for line in (SmallText.read("/proc/net/route") ?? "").split(separator: "\n").dropFirst() {
            let columns = line.split(separator: "\t").map { $0.filter { $0 != " " } }
            guard columns.count > 7, columns[1] == "00000000", columns[7] == "00000000" else { continue }
            names.append(columns[0])
        }
        for line in (SmallText.read("/proc/net/ipv6_route") ?? "").split(separator: "\n") {
            let columns = line.split(separator: " ")
            guard columns.count > 9, columns[0].allSatisfy({ $0 == "0" }), columns[1] == "00",
                columns[9] != "lo", let flags = UInt32(columns[8], radix: 16), flags & 0x200 == 0
            else { continue }
            names.append(String(columns[9]))
        }
        return names.uniqued()
    }
}

extension Array where Element: Hashable {
    func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

/// Small files of the kernel and of administrators, read whole and bounded.
enum SmallText {
    static func bytes(_ path: String, max: Int) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return bytes(of: descriptor, max: max)
    }

    /// Nil when it is longer than `max` or cannot be read.
    static func bytes(of descriptor: Int32, max: Int) -> [UInt8]? {
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe Glibc.read(descriptor, &piece, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { return content }
            guard content.count + count <= max else { return nil }
            content += piece[0..<count]
        }
    }

    static func read(_ path: String) -> String? {
        bytes(path, max: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
    }
}
