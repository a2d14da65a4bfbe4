import Foundation
import IronpostCore
import Logging
import Testing

@testable import ContainerEngine

/// Which container a packet came from, by the interface on which the kernel took it in.
@Suite(
    .serialized, .enabled(if: DockerEngine.shared != nil, DockerEngine.missing),
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "python3 is not installed"))
struct IngressTests {
    @Test("of three alike, a packet of the third's leads to the third, whatever source address it bears")
    func packet() throws {
        let engine = try #require(DockerEngine.shared)
        let inventory = ContainerInventory(
            socketPath: engine.socket, home: engine.networkNamespace, logger: Logger(label: "test"))
        _ = PlainThread(name: "inventory") { inventory.follow() }
        defer { inventory.stop() }
        let ids = try (1...3).map { number in
            try engine.run(
                "ip-ingress\(number)-\(getpid())",
                number == 3
                    ? "while :; do echo x | nc -w 1 10.211.\(getpid() % 200).1 9 2>/dev/null; sleep 0.1; done"
                    : "sleep 1000")
        }
        // Shares the second's network: what comes by that interface may be either's.
        let sharer = try engine.run("ip-ingress4-\(getpid())", host: #""NetworkMode":"container:\#(ids[1])""#)
        defer { engine.remove(ids + [sharer]) }
        #expect(eventually { (ids + [sharer]).allSatisfy { inventory[$0]?.pid ?? 0 > 0 } })
        #expect(ids.allSatisfy { inventory[$0]?.hostLinks.count == 1 })
        #expect(Set(ids.compactMap { inventory[$0]?.hostLinks.first }).count == 3)

        // The kernel's word on a real packet.
        let sniffer = Process()
        sniffer.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
        sniffer.arguments = [
            "--net=\(engine.networkNamespace)", "/usr/bin/python3", "-c",
            """
            import socket, time
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            s.settimeout(20)
            end = time.time() + 20
            while time.time() < end:
                data, place = s.recvfrom(2048)
                if place[0].startswith('veth') and place[2] != 4 and len(data) > 24 and data[9] == 6 and data[22:24] == b'\\0\\x09':
                    print(socket.if_nametoindex(place[0]))
                    break
            """,
        ]
        let output = Pipe()
        sniffer.standardOutput = output
        try sniffer.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        sniffer.waitUntilExit()
        let link = try #require(
            UInt32(text.trimmingCharacters(in: .whitespacesAndNewlines)), "no packet was seen: \(text)")

        let directory = LiveDirectory(time: SystemTime())
        directory.apply(inventory.changes(since: .nothing, engine: nil, patience: .zero) { _ in true })
        var clues = AttributionClues()
        clues.ingressLink = link
        let now = SystemTime().now()
        // Its source address is whatever the sender wrote.
        let forged = directory[ids[0]]?.addresses ?? []
        guard case .container(let found) = directory.attribute(clues, at: now, addresses: forged) else {
            Issue.record("not attributed: \(directory.attribute(clues, at: now, addresses: []))")
            return
        }
        #expect(found.id == ids[2].text)
        #expect(found.proof == "ingress interface \(link)")
        clues.ingressLink = inventory[ids[1]]?.hostLinks.first
        guard case .unproved = directory.attribute(clues, at: now, addresses: []) else {
            Issue.record("an interface that two share was laid to one")
            return
        }
    }
}
