import Core
import Runtime

/// Carries requests to an agent. `HTTPTransport` does it for real.
protocol Transport {
    func send(_ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint) throws(TransportFailure) -> APIAnswer
}

struct APIAnswer {
    var status: Int
    var body: [UInt8]
}

/// The reference's words for what went wrong below HTTP.
struct TransportFailure: Error {
    var text: String
}

struct HTTPTransport: Transport {
    func send(_ request: HTTPClient.Request, to endpoint: HTTPClient.Endpoint) throws(TransportFailure) -> APIAnswer {
        do {
            let response = try HTTPClient(endpoint).send(request)
            return APIAnswer(status: response.status, body: response.body)
        } catch {
            throw TransportFailure(text: error.description)
        }
    }
}
