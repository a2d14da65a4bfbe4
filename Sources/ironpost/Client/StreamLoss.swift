import FoundationEssentials
import IronpostCore

/// Says on stderr when a stream left something out.
enum StreamLoss {
    static func tell(_ message: StreamMessage) {
        guard message.event == "lost",
            let lost = try? JSONDecoder().decode(LostDocument.self, from: Data(message.data))
        else { return }
        Output.complain("ironpost: \(lost.count) were left out: this terminal was too slow")
    }
}
