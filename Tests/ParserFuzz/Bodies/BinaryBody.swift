import Foundation
import Glibc
import SBOMScanner

/// Files that are no text: small ones of each kind, made by Python's zipfile, sqlite3, struct and tarfile.
package enum BinaryBody {
    /// Not files' own names: what is run over them is no cataloger of a name.
    static let program = "program"
    static let image = "image.tar"

    static let seeds: [(String, [UInt8])] = [
        ("app.jar", decoded(jar)), ("var/lib/rpm/rpmdb.sqlite", decoded(rpm)), (program, decoded(elf)), (image, tar),
    ]

    private static func decoded(_ text: String) -> [UInt8] { Data(base64Encoded: text).map { Array($0) } ?? [] }

    /// `g:a` 1, and inside it a jar with `g:b` 2.
    private static let jar =
        "UEsDBBQAAAAIAAAAIQAUT8MTIQAAACEAAAAhAAAATUVUQS1JTkYvbWF2ZW4vZy9hL3BvbS5wcm9wZXJ0aWVzSy/KLy3wTLFN50os"
        + "KslMS0wuAXISucpSi4oz8/NsDbkAUEsDBBQAAAAIAAAAIQAuIPmzdwAAAMUAAAAJAAAAbGliL2IuamFyC/BmZhFhYGDgAGJFBvVz"
        + "Bf6KYBYE+7qGOOp6+rnp5yaWpebpp+sn6Rfk5+oVFOUXpBaVZKYWe+uf0tf94LPR97mXjtZJH28fPcaiSTtOBXV3GX/+nNO7gyHA"
        + "m5FJhBm3DTDQwMhAjH0B3qxsIIWMQOgPpBPAmgFQSwECFAMUAAAACAAAACEAFE/DEyEAAAAhAAAAIQAAAAAAAAAAAAAAgAEAAAAA"
        + "TUVUQS1JTkYvbWF2ZW4vZy9hL3BvbS5wcm9wZXJ0aWVzUEsBAhQDFAAAAAgAAAAhAC4g+bN3AAAAxQAAAAkAAAAAAAAAAAAAAIAB"
        + "YAAAAGxpYi9iLmphclBLBQYAAAAAAgACAIYAAAD+AAAAAAA="

    /// The table `Packages` with the header of one package, in pages of 512 bytes.
    private static let rpm =
        "U1FMaXRlIGZvcm1hdCAzAAIAAQEAQCAgAAAAAgAAAAIAAAAAAAAAAAAAAAEAAAAEAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAACAC5jAQ0AAAABAacAAacAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAVwEHFx0dAYEBdGFibGVQYWNrYWdlc1BhY2th"
        + "Z2VzAkNSRUFURSBUQUJMRSBQYWNrYWdlcyhobnVtIGludGVnZXIgcHJpbWFyeSBrZXksIGJsb2IgYmxvYikNAAAAAQFIAAFIAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAgTUBBACCbgAAAAcAAAA5AAAD6AAAAAYAAAAAAAAAAQAAA+kAAAAGAAAABQAAAAEAAAPqAAAABgAAAAkA"
        + "AAABAAAD6wAAAAQAAAAQAAAAAQAAA/YAAAAGAAAAFAAAAAEAAAP+AAAABgAAABsAAAABAAAEFAAAAAYAAAAiAAAAAWJhc2gANS4x"
        + "ADIuZWw5AAAAAAABR1BMdjMrAHg4Nl82NABiYXNoLTUuMS0yLmVsOS5zcmMucnBtAA=="

    /// An ELF file of two sections: its build information names a module, a dependency and what replaces it.
    private static let elf =
        "f0VMRgIBAQAAAAAAAAAAAAIAPgABAAAAAAAAAAAAAAAAAAAAAAAAABgBAAAAAAAAAAAAAEAAOAAAAEAAAwACAP8gR28gYnVpbGRp"
        + "bmY6CAIAAAAAAAAAAAAAAAAAAAAACGdvMS4yMi4xjwFNTU1NTU1NTU1NTU1NTU1NcGF0aAlleGFtcGxlLm9yZy9tCm1vZAlleGFt"
        + "cGxlLm9yZy9tCXYxLjAuMAloMTp4PQpkZXAJZXhhbXBsZS5vcmcvZAl2MS4yLjMJaDE6eT0KPT4JZXhhbXBsZS5vcmcvZQl2MS4y"
        + "LjQJaDE6ej0KTk5OTk5OTk5OTk5OTk5OTgAuZ28uYnVpbGRpbmZvAC5zaHN0cnRhYgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAABAAAAAQAAAAAAAAAAAAAAAAAAAAAAAABAAAAAAAAA"
        + "ALoAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAADwAAAAMAAAAAAAAAAAAAAAAAAAAAAAAA+gAAAAAAAAAZAAAAAAAAAAAA"
        + "AAAAAAAAAQAAAAAAAAAAAAAAAAAAAA=="

    /// A lockfile, one behind a long name, one whose name and size stand in a pax header.
    private static let tar: [UInt8] = {
        let lock = Array(#"{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1"}}}"#.utf8)
        let name = Array((String(repeating: "d/", count: 60) + "package-lock.json\0").utf8)
        let pax = Array("28 path=b/package-lock.json\n".utf8)
        let entries = [
            ("package-lock.json", "0", lock), ("././@LongLink", "L", name), ("x", "0", lock), ("p", "x", pax),
            ("y", "0", lock),
        ]
        let blocks = entries.flatMap { header($0.0, Character($0.1), $0.2.count) + padded($0.2) }
        return summed(blocks + [UInt8](repeating: 0, count: 1024))
    }()

    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }

    private static func header(_ name: String, _ type: Character, _ size: Int) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at place: Int) {
            for (index, byte) in text.utf8.enumerated() { block[place + index] = byte }
        }
        put(name, at: 0)
        put("0000644", at: 100)
        put(String(repeating: "0", count: 11 - String(size, radix: 8).count) + String(size, radix: 8), at: 124)
        put("00000000000", at: 136)
        put(String(type), at: 156)
        put("ustar\u{0}00", at: 257)
        return block
    }

    /// Headers of a broken archive still have the sum that they should have: otherwise nothing behind it is looked at.
    private static func summed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for start in stride(from: 0, to: bytes.count - 511, by: 512)
        where bytes[(start + 257)..<(start + 262)].elementsEqual("ustar".utf8) {
            for place in 148..<156 { bytes[start + place] = 0x20 }
            let sum = String(bytes[start..<(start + 512)].reduce(0) { $0 + Int($1) }, radix: 8)
            let digits = Array((String(repeating: "0", count: max(0, 6 - sum.count)) + sum).utf8.suffix(6)) + [0]
            for (index, digit) in digits.enumerated() { bytes[start + 148 + index] = digit }
        }
        return bytes
    }

    /// - Returns: what is wrong with the answer; `nil` also for a file that is none of these.
    static func runImage(_ bytes: [UInt8]) -> String? {
        var name = Array((NSTemporaryDirectory() + "image-XXXXXX").utf8CString)
        let descriptor = unsafe mkstemp(&name)
        guard descriptor >= 0 else { return "no place for an image" }
        defer { close(descriptor) }
        // It is there for as long as it is open.
        unsafe unlink(name)
        let bytes = summed(bytes)
        guard unsafe write(descriptor, bytes, bytes.count) == bytes.count else { return "no place for an image" }
        do throws(ReadFault) {
            let limits = ScanLimits(entriesMax: 1000, archiveBytesMax: 1 << 20, unpackedBytesMax: 16 << 20)
            for file in try ArchiveScan("/proc/self/fd/\(descriptor)", limits: limits).run().files
            where file.path.hasPrefix("/") || file.path.split(separator: "/").contains("..") {
                return "a path that leads out: \(file.path)"
            }
        } catch { if error.description.isEmpty { return "a fault without words" } }
        return nil
    }
}
