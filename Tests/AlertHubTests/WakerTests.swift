import IronpostCore
import Testing

struct WakerTests {
    /// A time that is over before the wait has begun ends it all the same: lost ones would hang this for ever.
    @Test(.timeLimit(.minutes(1)))
    func shortWaitsEnd() async {
        let waker = Waker()
        for _ in 0..<20_000 { await waker.wait(.nanoseconds(1)) }
    }

    @Test(.timeLimit(.minutes(1)))
    func aWakeUpBeforeTheWaitCounts() async {
        let waker = Waker()
        waker.wake()
        await waker.wait(.seconds(3600))
        Task { waker.wake() }
        await waker.wait(.seconds(3600))
    }
}
