import Glibc
import IronpostCore
import SBOMScanner

/// A mirror of OSV's zips: one a ecosystem, asked for only when it changed, resumed where it broke off.
struct AdvisoryMirror {
    let url: String
    /// Where parts and validators lie.
    let directory: String
    /// A file of certificates to trust in place of the system's.
    let authority: String?

    /// A zip that was fetched and is to be imported.
    struct Fetched {
        let ecosystem: String
        let file: String
        fileprivate let validator: String
        fileprivate let kept: String
    }

    /// - Returns: `nil` when the mirror has nothing newer.
    func fetch(_ ecosystem: String) throws(CommandFailure) -> Fetched? {
        let name = Self.fileName(ecosystem)
        let part = "\(directory)/\(name).zip.part"
        let partValidator = "\(directory)/\(name).part.etag"
        let kept = "\(directory)/\(name).etag"
        let address = (url.hasSuffix("/") ? url : url + "/") + Self.encoded(ecosystem) + "/all.zip"
        let fetched = Fetched(ecosystem: ecosystem, file: part, validator: partValidator, kept: kept)
        // A part is worth something only with the validator that says of which file it is one.
        if exists(part), let validator = text(partValidator), !validator.isEmpty {
            let answer = try CurlProgram.get(
                address, to: part, options: ["--continue-at", "-", "--header", "If-Range: \(validator)"],
                authority: authority
            )
            if answer.exit == 0 { return fetched }
            if answer.exit != CurlProgram.cannotResume, answer.status != 416 {
                throw failure(ecosystem, answer)
            }
        }
        unsafe unlink(part)
        var options = ["--etag-save", partValidator]
        if exists(kept) { options += ["--etag-compare", kept] }
        let answer = try CurlProgram.get(address, to: part, options: options, authority: authority)
        guard answer.exit == 0 else { throw failure(ecosystem, answer) }
        if answer.status == 304 {
            unsafe unlink(part)
            return nil
        }
        return fetched
    }

    /// It is in the database: only its validator has to be remembered.
    func finish(_ fetched: Fetched) {
        unsafe unlink(fetched.file)
        if text(fetched.validator)?.isEmpty == false {
            unsafe rename(fetched.validator, fetched.kept)
        } else {
            unsafe unlink(fetched.validator)
            unsafe unlink(fetched.kept)
        }
    }

    /// What came is no zip that can be used: it is fetched anew next time.
    func discard(_ fetched: Fetched) {
        unsafe unlink(fetched.file)
        unsafe unlink(fetched.validator)
    }

    private func failure(_ ecosystem: String, _ answer: CurlProgram.Answer) -> CommandFailure {
        let status = answer.status > 0 ? " (HTTP \(answer.status))" : ""
        return CommandFailure(
            .failure,
            "\(ecosystem): \(answer.message.isEmpty ? "curl ended with \(answer.exit)" : answer.message)\(status)")
    }

    private func exists(_ path: String) -> Bool { unsafe access(path, R_OK) == 0 }

    private func text(_ path: String) -> String? {
        guard exists(path) else { return nil }
        guard let bytes = try? InputBytes.read(path, max: 4096) else { return nil }
        let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        return String(decoding: line, as: UTF8.self)
    }

    /// `Debian:12` as a part of a path.
    private static func encoded(_ ecosystem: String) -> String {
        var text = ""
        for byte in ecosystem.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E, 0x3A:
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text
    }

    private static func fileName(_ ecosystem: String) -> String {
        String(
            ecosystem.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") && ecosystem != ".." ? $0 : "-" })
    }
}
