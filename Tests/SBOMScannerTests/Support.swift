import Foundation
import IronpostCore
import SBOMScanner
import Testing

/// Real lockfiles and advisories beside the repository; absent on most machines.
enum Corpus {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/corpus/sbom")

    static var isPresent: Bool { FileManager.default.fileExists(atPath: root.path) }

    static let absence: Comment = "needs ../shared/corpus/sbom beside the repository"

    /// The real projects' lockfiles, unpacked once for this process.
    static let lockfiles = unpacked("lockfiles/real-projects.tar.xz")

    static func unpacked(_ archive: String) -> String {
        let name = archive.map { $0 == "/" || $0 == "." ? "-" : $0 }
        let directory = NSTemporaryDirectory() + "ironpost-\(getpid())-" + String(name)
        guard !FileManager.default.fileExists(atPath: directory) else { return directory }
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            _ = try Tool.run("tar", ["xJf", root.appendingPathComponent(archive).path, "-C", directory])
        } catch {
            Issue.record("cannot unpack \(archive): \(error)")
        }
        return directory
    }
}

/// Programs of the system.
enum Tool {
    struct Failure: Error { let text: String }

    static func isInstalled(_ name: String) -> Bool {
        name.hasPrefix("/")
            ? FileManager.default.isExecutableFile(atPath: name)
            : (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
                FileManager.default.isExecutableFile(atPath: "\($0)/\(name)")
            }
    }

    /// Its standard output; throws when it fails.
    static func run(_ name: String, _ arguments: [String], input: String? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        let output = Pipe()
        process.standardOutput = output
        let file = NSTemporaryDirectory() + "ironpost-\(getpid())-\(UUID().uuidString)"
        if let input {
            try input.write(toFile: file, atomically: true, encoding: .utf8)
            process.standardInput = FileHandle(forReadingAtPath: file)
        }
        defer { try? FileManager.default.removeItem(atPath: file) }
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(text: "\(name) ended with \(process.terminationStatus)")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

/// A directory that goes away with the test.
final class Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "ironpost-\(getpid())-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult func write(_ name: String, _ text: String) throws -> String {
        try write(name, Array(text.utf8))
    }

    @discardableResult func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        let directory = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }
}

extension Catalog {
    /// What a file of this path says.
    init(_ path: String, _ text: String, neighbours: [String: String] = [:]) throws {
        self.init()
        let selected = try #require(Catalogers.all.first { $0.reads(path) }, "no cataloger reads \(path)")
        let file = SourceFile(path: path, bytes: Array(text.utf8), neighbours: neighbours.mapValues { Array($0.utf8) })
        try selected.catalog(file, into: &self)
    }

    var purls: [String] { packages.map(\.purl).sorted() }

    func needs(_ purl: String) -> [String] {
        guard let place = packages.firstIndex(where: { $0.purl == purl }) else { return [] }
        return edges.filter { $0.from == place }.map { packages[$0.to].purl }.sorted()
    }

    subscript(purl: String) -> Package? { packages.first { $0.purl == purl } }
}
