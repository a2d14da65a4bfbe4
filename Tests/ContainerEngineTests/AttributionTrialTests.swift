import Foundation
import IronpostCore
import Testing

@testable import ContainerEngine

/// Attribution against an adversary: a world of containers whose truth the harness keeps, in a /proc and cgroup file
/// systems of its own, with everything an attacker may arrange in them.
@Suite(.enabled(if: FileManager.default.isWritableFile(atPath: "/dev/shm"), "there is no /dev/shm"))
struct AttributionTrialTests {
    static let trials = ProcessInfo.processInfo.environment["IRONPOST_DEEP"] != nil ? 100_000 : 10_000

    @Test("none is laid to the wrong container, and what can be proved is")
    func trials() throws {
        let seed = UInt64.random(in: 1 ... .max)
        var world = try World(seed: seed)
        defer { world.remove() }
        var wrong: [String] = []
        var proofs = 0
        var proved = 0
        for trial in 0..<Self.trials {
            try world.live()
            let scene = Scene.allCases[trial % Scene.allCases.count]
            guard let event = try world.stage(scene) else { continue }
            let verdict = world.directory.attribute(event.clues, at: event.time, addresses: event.addresses)
            if event.canBeProved { proofs += 1 }
            switch (verdict, event.truth) {
            case (.container(let found), let truth?) where found.id == truth.text:
                if event.canBeProved { proved += 1 }
            case (.container(let found), let truth):
                wrong.append("\(scene) of trial \(trial): \(found.name), was \(truth?.short ?? "nobody's")")
            case (.host, _?):
                wrong.append("\(scene) of trial \(trial): taken for the host's")
            case (.host, nil), (.unproved, _):
                break
            }
        }
        print("attribution: \(Self.trials) trials, seed \(seed), \(wrong.count) wrong, \(proved) of \(proofs) proved")
        #expect(wrong.isEmpty, "seed \(seed): \(wrong.prefix(5))")
        #expect(Double(proved) >= 0.995 * Double(proofs), "seed \(seed)")
        #expect(proofs > Self.trials / 3)
    }

    enum Scene: CaseIterable {
        case process, nested, hostProcess, fakeInside, fakeOutside, helper, reusedPid, departed, namespace
        case sharedNamespace, hostNamespace, reusedNamespace, link, reusedLink, addressOnly, logStream, journalPath
        case lookalikePath, renamed, mixed, contradiction, otherHierarchy
    }

    struct Event {
        var clues = AttributionClues()
        var time: Timestamp
        var truth: ContainerID?
        var canBeProved = true
        var addresses: [String] = []
    }

    struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ state >> 29) &* 0x9E37_79B9_7F4A_7C15
        }
    }

    struct World {
        struct Member {
            var record: ContainerRecord
            /// Where its cgroup is, in both hierarchies alike.
            var path: String
        }

        /// In memory: there, as in cgroups, no number is given out twice.
        let root = "/dev/shm/ironpost-world-\(getpid())"
        let clock = ManualTime()
        let directory: LiveDirectory
        let table: ProcessTable
        let survey: ContainerSurvey
        var random: Generator
        var members: [Member] = []
        var departed: [Member] = []
        var cursor: UInt64 = 0
        var nextPid: Int32 = 1000
        var nextLink: UInt32 = 10
        static let hostNamespace: UInt64 = 4_026_531_840

        init(seed: UInt64) throws {
            random = Generator(state: seed)
            clock.advance(by: .seconds(100_000))
            directory = LiveDirectory(time: clock, hostNamespace: Self.hostNamespace)
            table = ProcessTable(proc: root + "/proc", unified: root + "/unified", freezer: root + "/freezer")
            survey = ContainerSurvey(table: table)
            for name in ["proc", "unified", "freezer"] {
                try FileManager.default.createDirectory(atPath: "\(root)/\(name)", withIntermediateDirectories: true)
            }
            for _ in 0..<5 { try create() }
        }

        func remove() { try? FileManager.default.removeItem(atPath: root) }

        /// Containers come and go, and time passes.
        mutating func live() throws {
            clock.advance(by: .milliseconds(Int64.random(in: 50...5000, using: &random)))
            if members.count < 4 || members.count < 8 && Bool.random(using: &random) {
                try create()
            } else {
                try depart(Int.random(in: 0..<members.count, using: &random))
            }
        }

        mutating func hexadecimal() -> ContainerID {
            let text = (0..<64).map { _ in "0123456789abcdef".randomElement(using: &random) ?? "0" }
            return ContainerID(String(text)) ?? members[0].record.id
        }

        mutating func makeCgroup(_ path: String, in hierarchies: [String] = ["unified", "freezer"]) throws {
            for hierarchy in hierarchies {
                try FileManager.default.createDirectory(
                    atPath: "\(root)/\(hierarchy)\(path)", withIntermediateDirectories: true)
            }
        }

        /// A process as /proc shows it, which started a moment ago.
        mutating func makeProcess(
            _ path: String, freezer: String? = nil, pid: Int32? = nil, age: Duration = .milliseconds(500)
        ) throws -> (pid: Int32, start: UInt64) {
            nextPid += 1
            let pid = pid ?? nextPid
            let ticks = UInt64((clock.uptime() - age.nanoseconds) / 10_000_000)
            let place = "\(root)/proc/\(pid)"
            try FileManager.default.createDirectory(atPath: place + "/ns", withIntermediateDirectories: true)
            // A name that tries to look like the end of itself.
            let stat = "\(pid) (a) S 1 (b)) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 \(ticks) 0 0\n"
            try stat.write(toFile: place + "/stat", atomically: false, encoding: .utf8)
            try "12:cpu,cpuacct:/x\n6:freezer:\(freezer ?? path)\n0::\(path)\n".write(
                toFile: place + "/cgroup", atomically: false, encoding: .utf8)
            return (pid, ticks)
        }

        mutating func create() throws {
            let id = hexadecimal()
            let forms = [
                "/docker/\(id)", "/\(id)", "/system.slice/docker-\(id).scope", "/machine.slice/libpod-\(id).scope",
                "/kubepods.slice/kubepods-pod1.slice/cri-containerd-\(id).scope",
                "/kubepods/besteffort/pod1/crio-\(id).scope",
            ]
            let path = forms[Int.random(in: 0..<forms.count, using: &random)]
            try makeCgroup(path)
            let process = try makeProcess(path)
            nextLink += 1
            let namespace = "\(root)/proc/\(process.pid)/ns/net"
            try "".write(toFile: namespace, atomically: false, encoding: .utf8)
            let json = """
                {"Id":"\(id)","Name":"/c\(nextPid)","State":{"Status":"running","Running":true,"Pid":\(process.pid),
                "StartedAt":"\(clock.now().advanced(by: .milliseconds(-500)).rfc3339)"},"Config":{"Image":"i"},
                "NetworkSettings":{"Networks":{"n":{"IPAddress":"10.0.0.\(Int.random(in: 2...9, using: &random))"}}}}
                """
            let found = try EngineNames.decoder().decode(InspectedContainer.self, from: Data(json.utf8))
            var record = survey.record(id, found)
            record.hostLinks = [nextLink]
            #expect(record.fault.isEmpty && record.cgroups.count == 2, "\(record)")
            members.append(Member(record: record, path: path))
            apply([record], removed: [])
        }

        mutating func apply(_ records: [ContainerRecord], removed: [ContainerID]) {
            cursor += 1
            directory.apply(
                ContainerChanges(
                    cursor: ContainerCursor(epoch: 1, revision: cursor, asOf: cursor), isReset: cursor == 1,
                    records: records, removed: removed, hasMore: false,
                    engine: EngineState(link: .following, socket: "")))
        }

        mutating func depart(_ index: Int) throws {
            let member = members.remove(at: index)
            try? FileManager.default.removeItem(atPath: "\(root)/proc/\(member.record.pid)")
            for hierarchy in ["unified", "freezer"] {
                try? FileManager.default.removeItem(atPath: "\(root)/\(hierarchy)\(member.path)")
            }
            apply([], removed: [member.record.id])
            departed.append(member)
            if departed.count > 16 { departed.removeFirst() }
        }

        mutating func pick() -> Member { members[Int.random(in: 0..<members.count, using: &random)] }

        func identity(_ pid: Int32, at time: Timestamp) -> ProcessIdentity? {
            table.identity(of: pid, at: time, clock: clock)
        }

        /// An event, and who really caused it; nil where the scene needs what is not there now.
        mutating func stage(_ scene: Scene) throws -> Event? {
            let now = clock.now()
            let member = pick()
            let others = members.filter { $0.record.id != member.record.id }
            guard let victim = others.randomElement(using: &random) else { return nil }
            var event = Event(time: now, truth: member.record.id)
            // Text is full of other containers' addresses; it must not matter.
            event.addresses = victim.record.addresses
            switch scene {
            case .process:
                event.clues.process = identity(try makeProcess(member.path).pid, at: now)
            case .nested:
                let inner = "\(member.path)/docker/\(hexadecimal())"
                try makeCgroup(inner)
                event.clues.process = identity(try makeProcess(inner).pid, at: now)
            case .hostProcess:
                let path =
                    ["/", "/user.slice/session-1.scope", "/system.slice/ssh.service"].randomElement(using: &random)
                    ?? "/"
                try makeCgroup(path)
                event.clues.process = identity(try makeProcess(path).pid, at: now)
                event.truth = nil
            case .fakeInside:
                let fake = "\(member.path)/docker-\(victim.record.id).scope"
                try makeCgroup(fake)
                event.clues.process = identity(try makeProcess(fake).pid, at: now)
            case .fakeOutside:
                let fake =
                    [
                        "/x/docker/\(victim.record.id)", "/docker-\(victim.record.id).scope", "\(victim.path).",
                        "\(victim.path):x",
                    ]
                    .randomElement(using: &random) ?? "/"
                guard !members.contains(where: { $0.path == fake }) else { return nil }
                try makeCgroup(fake)
                event.clues.process = identity(try makeProcess(fake).pid, at: now)
                event.truth = nil
            case .helper:
                let path = "/machine.slice/libpod-conmon-\(victim.record.id).scope"
                try makeCgroup(path)
                event.clues.process = identity(try makeProcess(path).pid, at: now)
                event.truth = nil
            case .reusedPid:
                // Written before the process that has the number now was started.
                let pid = try makeProcess(member.path, age: .milliseconds(50)).pid
                event.time = now.advanced(by: .milliseconds(-500))
                event.clues.process = identity(pid, at: event.time)
                event.clues.lostProcess = event.clues.process == nil
                event.truth = nil
            case .departed:
                let process = try makeProcess(member.path).pid
                event.clues.process = identity(process, at: now)
                try depart(members.firstIndex { $0.record.id == member.record.id } ?? 0)
            case .namespace:
                event.clues.networkNamespace = member.record.networkNamespace
            case .sharedNamespace:
                var sharer = victim
                sharer.record.networkNamespace = member.record.networkNamespace
                apply([sharer.record], removed: [])
                event.clues.networkNamespace = member.record.networkNamespace
                event.clues.ingressLink = Bool.random(using: &random) ? member.record.hostLinks[0] : nil
                let verdict = directory.attribute(event.clues, at: now, addresses: [])
                apply([victim.record], removed: [])
                if case .container(let found) = verdict { Issue.record("shared network laid to \(found.name)") }
                return nil
            case .hostNamespace:
                event.clues.networkNamespace = Self.hostNamespace
                event.truth = nil
            case .reusedNamespace:
                guard let old = departed.last(where: { $0.record.networkNamespace != 0 }) else { return nil }
                clock.advance(by: .seconds(2))
                var newer = member.record
                newer.networkNamespace = old.record.networkNamespace
                apply([newer], removed: [])
                event.clues.networkNamespace = old.record.networkNamespace
                event.time = clock.now().advanced(by: .milliseconds(1))
                if let index = members.firstIndex(where: { $0.record.id == member.record.id }) {
                    members[index].record = newer
                }
            case .link:
                event.clues.ingressLink = member.record.hostLinks[0]
            case .reusedLink:
                guard let old = departed.last else { return nil }
                clock.advance(by: .seconds(2))
                var newer = member.record
                newer.hostLinks = old.record.hostLinks
                apply([newer], removed: [])
                event.clues.ingressLink = old.record.hostLinks[0]
                event.time = clock.now().advanced(by: .milliseconds(1))
                if let index = members.firstIndex(where: { $0.record.id == member.record.id }) {
                    members[index].record = newer
                }
            case .addressOnly:
                event.truth = nil
            case .logStream:
                event.clues.logStream = member.record.id
            case .journalPath:
                event.clues.cgroupPath = member.path + (Bool.random(using: &random) ? "" : "/init.scope")
                event.clues.lostProcess = true
            case .lookalikePath:
                event.clues.cgroupPath = ["\(victim.path)x", "/x\(victim.path)", "\(victim.path.dropLast())"]
                    .randomElement(using: &random)
                event.truth = nil
            case .renamed:
                var newer = member.record
                newer.name = victim.record.name
                apply([newer], removed: [])
                event.clues.process = identity(try makeProcess(member.path).pid, at: now)
            case .mixed:
                event.clues.process = identity(try makeProcess(member.path).pid, at: now)
                event.clues.isMixed = true
                event.truth = nil
            case .contradiction:
                event.clues.process = identity(try makeProcess(member.path).pid, at: now)
                event.clues.logStream = victim.record.id
                event.truth = nil
            case .otherHierarchy:
                // Who may move himself in one hierarchy only.
                event.clues.process = identity(try makeProcess(member.path, freezer: victim.path).pid, at: now)
                event.truth = nil
            }
            event.canBeProved = event.truth != nil
            return event
        }
    }
}
