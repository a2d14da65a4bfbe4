internal import Crypto
package import IronpostCore
internal import Synchronization

/// What documents say of themselves: the same input makes the same bytes.
package struct DocumentContext: Sendable {
    /// The program that wrote it.
    package var toolVersion: String
    /// From `SOURCE_DATE_EPOCH`, if the environment has it.
    package var sourceDate: Timestamp?
    /// That write at the same time; the bytes are the same.
    package var threads: Int

    package init(toolVersion: String, sourceDate: Timestamp? = nil, threads: Int = 1) {
        self.threads = threads
        self.toolVersion = toolVersion
        self.sourceDate = sourceDate
    }

    static let toolName = "ironpost"
    /// Names for UUIDs of version 5 (RFC 9562) are made in the namespace of URLs.
    private static let namespace: [UInt8] = [
        0x6B, 0xA7, 0xB8, 0x11, 0x9D, 0xAD, 0x11, 0xD1, 0x80, 0xB4, 0x00, 0xC0, 0x4F, 0xD4, 0x30, 0xC8,
    ]

    /// Stands where the identity will.
    static let noIdentity = "00000000-0000-0000-0000-000000000000"

    /// Puts the identity in the first piece, in the place of `noIdentity`.
    static func identify(_ pieces: inout [[UInt8]], at place: Int, threads: Int) {
        let identity = identity(of: pieces, threads: threads)
        pieces[0].replaceSubrange(place..<(place + identity.utf8.count), with: identity.utf8)
    }

    /// A UUID that follows from the content alone: named by the digests of its pieces.
    static func identity(of pieces: [[UInt8]], threads: Int) -> String {
        let digests = Mutex([[UInt8]](repeating: [], count: pieces.count))
        Workers.each(pieces.count, threads: threads) { place in
            let digest = Array(SHA256.hash(data: pieces[place]))
            digests.withLock { $0[place] = digest }
        }
        let name = namespace + digests.withLock { $0 }.joined()
        var bytes = Array(Insecure.SHA1.hash(data: name).prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x50
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Hexadecimal.encode(bytes)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
            text.append(digit)
        }
        return text
    }

    /// Hexadecimal digits that tell texts apart.
    static func digest(_ text: String) -> String {
        Hexadecimal.encode(SHA256.hash(data: Array(text.utf8)).prefix(10))
    }

    /// To the second, as SPDX and OpenVEX want it. Without `SOURCE_DATE_EPOCH` the newest change among the files that
    /// were read: a time has to be there, and this one follows from the input.
    func created(_ inventory: Inventory) -> String {
        let time = sourceDate ?? Timestamp(nanoseconds: max(0, inventory.newest))
        return String(time.rfc3339.prefix(19)) + "Z"
    }

    /// What the inventory is of, in a word.
    static func subject(_ inventory: Inventory) -> String {
        let names = inventory.roots.map { root in
            root.split(separator: "/").last { $0 != "." }.map(String.init) ?? "root"
        }
        return names.isEmpty ? "nothing" : names.joined(separator: "+")
    }
}

/// The licences that most packages have, by their SPDX identifiers. Others are passed on as text.
enum LicenseIdentifier {
    private static let known: Set<String> = [
        "0BSD", "AFL-2.1", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-1.1", "Apache-2.0", "Artistic-1.0-Perl",
        "Artistic-2.0", "BSD-1-Clause", "BSD-2-Clause", "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear",
        "BSD-4-Clause", "BSL-1.0", "BlueOak-1.0.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0",
        "CDDL-1.1", "CDLA-Permissive-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.2", "GPL-2.0-only", "GPL-2.0-or-later",
        "GPL-3.0-only", "GPL-3.0-or-later", "HPND", "ICU", "ISC", "JSON", "LGPL-2.0-only", "LGPL-2.0-or-later",
        "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MPL-1.1",
        "MPL-2.0",
        "MS-PL", "NCSA", "OFL-1.1", "OpenSSL", "PSF-2.0", "PostgreSQL", "Python-2.0", "Ruby", "Unicode-3.0",
        "Unicode-DFS-2016", "Unlicense", "Vim", "W3C", "WTFPL", "X11", "ZPL-2.1", "Zlib", "curl",
        "zlib-acknowledgement",
    ]

    static func isKnown(_ text: String) -> Bool { known.contains(text) }
}

/// Pieces of a document as one.
func joined(_ pieces: [[UInt8]]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(pieces.reduce(0) { $0 + $1.count })
    for piece in pieces { bytes += piece }
    return bytes
}
