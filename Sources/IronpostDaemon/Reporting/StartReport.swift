import IronpostCore
import Logging

/// What the daemon says once after it started: what it watches, what it cannot watch and why.
enum StartReport {
    static func log(_ modules: [ModuleStatus], absent: [Field], to logger: Logger) {
        for module in modules {
            if let reason = module.health.reason {
                logger.warning(
                    "module is \(module.health.word)", metadata: ["module": "\(module.name)", "reason": "\(reason)"])
            }
            for detail in module.details {
                logger.notice("\(detail.name): \(detail.value)", metadata: ["module": "\(module.name)"])
            }
        }
        for engine in absent {
            logger.notice("not watching: \(engine.value)", metadata: ["module": "\(engine.name)"])
        }
    }
}
