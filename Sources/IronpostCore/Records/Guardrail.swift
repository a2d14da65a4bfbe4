/// Why an action was not taken: the word that stands in the record, and what it means.
package enum Guardrail: String, Sendable, CaseIterable {
    case demo
    case proof
    case stale
    case alreadyInForce = "already_in_force"
    case allowList = "allow_list"
    case reserved
    case ownAddress = "own_address"
    case gateway
    case nameServer = "name_server"
    case operatorSession = "operator_session"
    case protected
    case cooldown
    case rateCap = "rate_cap"
    case budget
    case tooManyBlocks = "too_many_blocks"
    case tooManyProposals = "too_many_proposals"
    case unavailable
    case responder
    case unattributed
    case notTargeted = "not_targeted"

    package var meaning: String {
        switch self {
        case .demo: "the alert is the demonstration's own"
        case .proof: "it is not proven that this address acted: text that anybody can write named it"
        case .stale: "the alert was too old when it could be acted upon"
        case .alreadyInForce: "the target is acted upon already"
        case .allowList: "the address is on the allow list"
        case .reserved: "the address is loopback, multicast or otherwise no stranger's"
        case .ownAddress: "the address is this host's own"
        case .gateway: "the address is a gateway of this host"
        case .nameServer: "the address is a name server of this host"
        case .operatorSession: "somebody is logged in over SSH from there"
        case .protected: "the target is protected"
        case .cooldown: "a person took back an action on this target a short while ago"
        case .rateCap: "there were too many actions within this minute"
        case .budget: "the budget of this hour is used up: a person has to approve"
        case .tooManyBlocks: "as much is blocked as may be at once"
        case .tooManyProposals: "too many proposals wait for approval"
        case .unavailable: "nothing on this host can carry it out"
        case .responder: "the responder refused it"
        case .unattributed: "it is not proven which container acted"
        case .notTargeted: "the policy is not for this container"
        }
    }
}

/// A guardrail that holds, and what exactly it met.
package struct Withheld: Error, Sendable, Hashable, CustomStringConvertible {
    package var guardrail: Guardrail
    package var detail: String?

    package init(_ guardrail: Guardrail, _ detail: String? = nil) {
        self.guardrail = guardrail
        self.detail = detail
    }

    package init(_ objection: (why: AddressGuard.Objection, met: String)) {
        self.init(Guardrail(rawValue: objection.why.rawValue) ?? .reserved, objection.met)
    }

    package var description: String { guardrail.meaning + (detail.map { " (\($0))" } ?? "") }
}
