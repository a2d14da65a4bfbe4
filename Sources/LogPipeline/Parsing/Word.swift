/// The values that parsers give fields by themselves, as opposed to slices of the line.
///
/// All of them stand once in each batch's bytes (`EventTable.shared`), so that an event costs no copy of "auth_failed".
enum Word: UInt8, CaseIterable, Sendable {
    // Severities 0…7 (RFC 5424 table 2), by their numbers.
    case emerg = 0
    case alert, crit, err, warning, notice, info, debug
    // Facilities 0…23 (RFC 5424 table 1), by their numbers plus `facilityBase`.
    case kern = 8
    case user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, ntp, audit, logAlert, clock
    case local0, local1, local2, local3, local4, local5, local6, local7
    // Values of `event`.
    case authFailed = 32
    case authOK, invalidUser, disconnected, connectionClosed, sessionOpened, sessionClosed, maxAuth, notAllowed
    case preauthProbe, command, notInSudoers, userAdded, userChanged, userDeleted, groupAdded, groupChanged
    case groupDeleted, passwordChanged
    // Values of `outcome`.
    case success, failure
    // Values of `method` that no message spells out.
    case pam

    static let facilityBase: UInt8 = 8

    var text: String {
        switch self {
        case .logAlert: "alert"
        case .authFailed: "auth_failed"
        case .authOK: "auth_ok"
        case .invalidUser: "invalid_user"
        case .connectionClosed: "connection_closed"
        case .sessionOpened: "session_opened"
        case .sessionClosed: "session_closed"
        case .maxAuth: "max_auth"
        case .notAllowed: "not_allowed"
        case .preauthProbe: "preauth_probe"
        case .notInSudoers: "not_in_sudoers"
        case .userAdded: "user_added"
        case .userChanged: "user_changed"
        case .userDeleted: "user_deleted"
        case .groupAdded: "group_added"
        case .groupChanged: "group_changed"
        case .groupDeleted: "group_deleted"
        case .passwordChanged: "password_changed"
        default: String(describing: self)
        }
    }

    static func severity(_ number: Int) -> Word? {
        (0...7).contains(number) ? Word(rawValue: UInt8(number)) : nil
    }

    static func facility(_ number: Int) -> Word? {
        (0...23).contains(number) ? Word(rawValue: facilityBase + UInt8(number)) : nil
    }
}

/// The bytes of all words in one block, and where each stands in it.
struct WordBlock: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var pieces: [Piece]

    init() {
        pieces = [Piece](repeating: Piece(0, 0), count: Int(Word.allCases.map(\.rawValue).max() ?? 0) + 1)
        for word in Word.allCases {
            let start = bytes.count
            bytes += Array(word.text.utf8)
            pieces[Int(word.rawValue)] = Piece(start, bytes.count)
        }
    }
}
