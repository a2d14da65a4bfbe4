import Glibc
import IronpostCore
import SBOMScanner
import Synchronization

/// What `sbom` and `scan` share: reading paths, and writing a document.
enum ScanInput {
    /// What was found stays until the process ends, which takes all of it at once: giving it back object by object would
    /// be a twentieth of the work.
    private static let kept = Mutex<Inventory?>(nil)

    /// Everything below the paths. A path that cannot be read at all is an error.
    static func inventory(_ paths: [String]) throws(CommandFailure) -> Inventory {
        Scanner.keepFreedMemory()
        let isTerminal = isatty(STDERR_FILENO) == 1
        var scans: [RootScan] = []
        for path in paths {
            do {
                let progress: ((String, Int) -> Void)? =
                    isTerminal ? { path, seen in Output.progress("\(Escaping.line(path)): \(seen) entries") } : nil
                scans.append(try Scanner.scan(path, progress: progress))
            } catch {
                if isTerminal { Output.progress("") }
                throw CommandFailure(.inputOutput, "cannot scan \(path): \(error)")
            }
        }
        if isTerminal { Output.progress("") }
        let inventory = Inventory(scans)
        kept.withLock { $0 = inventory }
        for fault in inventory.faults { Output.complain(Escaping.line("warning: \(fault)")) }
        return inventory
    }

    static var context: DocumentContext {
        let date = unsafe getenv("SOURCE_DATE_EPOCH").flatMap { unsafe Int64(String(cString: $0)) }
        return DocumentContext(
            toolVersion: IronpostVersion.current, sourceDate: date.map { Timestamp(seconds: max(0, $0)) },
            threads: Scanner.threadsMax
        )
    }

    /// To a file, which takes the place of an older one only when it is whole, or to stdout.
    static func write(_ bytes: [UInt8], to path: String?) throws(CommandFailure) {
        try write([bytes], to: path)
    }

    static func write(_ pieces: [[UInt8]], to path: String?) throws(CommandFailure) {
        guard let path else {
            for bytes in pieces { Output.write(bytes: bytes) }
            return
        }
        do {
            try WholeFile.write(pieces, to: path, isDurable: false)
        } catch {
            throw CommandFailure(.inputOutput, "cannot write \(path): \(error)")
        }
    }
}
