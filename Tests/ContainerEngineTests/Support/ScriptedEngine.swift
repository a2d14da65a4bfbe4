import Foundation
import IronpostCore
import Synchronization
import Testing

/// An engine that answers as told: for what no real one does on demand.
final class ScriptedEngine: Sendable {
    enum Answer: Sendable {
        /// Status line, headers and body, as they are; then the connection ends.
        case raw([UInt8])
        case json(String)
        /// Nothing, and the connection stays open.
        case silence
        /// A head that announces so many bytes, and then that many of them.
        case flood(Int)
        /// Chunks, and then nothing more while the connection stays open.
        case stream([String])
    }

    let path: String
    private let listener: Int32
    private let answers: Mutex<@Sendable (String) -> Answer>
    private let asked = Mutex<[String]>([])

    init(_ name: String, _ answer: @escaping @Sendable (String) -> Answer) throws {
        path = "/tmp/ironpost-scripted-\(name)-\(getpid()).sock"
        unsafe unlink(path)
        answers = Mutex(answer)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(listener, 16) == 0 else {
            throw DockerEngine.Fault(description: "cannot listen on \(path)")
        }
        _ = PlainThread(name: "scripted") { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else {
                    // Here and nowhere else: the number may be another's as soon as it is free.
                    close(listener)
                    return
                }
                _ = PlainThread(name: "scripted") { [self] in serve(connection) }
            }
        }
    }

    var requests: [String] { asked.withLock { $0 } }

    func end() {
        shutdown(listener, Int32(SHUT_RDWR))
        unsafe unlink(path)
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var request: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !String(decoding: request, as: UTF8.self).contains("\r\n\r\n") {
            let count = unsafe read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            request += buffer[..<count]
        }
        let line = String(decoding: request, as: UTF8.self).split(separator: "\r\n").first.map(String.init) ?? ""
        let target = line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        asked.withLock { $0.append(target) }
        switch answers.withLock({ $0 })(target) {
        case .raw(let bytes):
            send(bytes, connection)
        case .json(let text):
            let head =
                "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
            send(Array((head + text).utf8), connection)
        case .silence:
            hold(connection)
        case .flood(let count):
            send(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8), connection)
            let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 0x20, count: 65_536) + Array("\r\n".utf8)
            for _ in 0..<(count / 65_536) where !send(chunk, connection) { return }
        case .stream(let pieces):
            send(Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8), connection)
            for piece in pieces {
                send(Array((String(piece.utf8.count, radix: 16) + "\r\n" + piece + "\r\n").utf8), connection)
            }
            hold(connection)
        }
    }

    @discardableResult
    private func send(_ bytes: [UInt8], _ connection: Int32) -> Bool {
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(
                    connection, $0.baseAddress.map { unsafe $0 + start }, bytes.count - start, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            start += count
        }
        return true
    }

    /// Until the other side goes.
    private func hold(_ connection: Int32) {
        var byte: UInt8 = 0
        while unsafe read(connection, &byte, 1) > 0 {}
    }
}

extension ScriptedEngine.Answer: CustomTestStringConvertible {
    var testDescription: String {
        switch self {
        case .raw(let bytes): "raw: \(String(decoding: bytes.prefix(40), as: UTF8.self))… (\(bytes.count) bytes)"
        case .json(let text): "json: \(text.prefix(20))… (\(text.utf8.count) bytes)"
        case .silence: "silence"
        case .flood(let count): "\(count) bytes"
        case .stream(let pieces): "a stream of \(pieces.count) pieces"
        }
    }
}
