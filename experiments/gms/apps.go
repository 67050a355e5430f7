package gms

// app is one app of the application.
type app struct {
	Name string
	// Port is the Service's, TargetPort the container's. An app that nobody
	// calls has neither, and no Service.
	Port, TargetPort int
	Environment      []variable
}

type variable struct{ Name, Value string }

// server is the environment of most servers of the application.
func server(port string, more ...variable) []variable {
	return append([]variable{{"PORT", port}, {"DISABLE_PROFILER", "1"}}, more...)
}

// The addresses by which the apps find each other.
var (
	adAddress             = variable{"AD_SERVICE_ADDR", "adservice:9555"}
	cartAddress           = variable{"CART_SERVICE_ADDR", "cartservice:7070"}
	checkoutAddress       = variable{"CHECKOUT_SERVICE_ADDR", "checkoutservice:5050"}
	currencyAddress       = variable{"CURRENCY_SERVICE_ADDR", "currencyservice:7000"}
	emailAddress          = variable{"EMAIL_SERVICE_ADDR", "emailservice:5000"}
	frontendAddress       = variable{"FRONTEND_ADDR", "frontend:80"}
	paymentAddress        = variable{"PAYMENT_SERVICE_ADDR", "paymentservice:50051"}
	productAddress        = variable{"PRODUCT_CATALOG_SERVICE_ADDR", "productcatalogservice:3550"}
	recommendationAddress = variable{"RECOMMENDATION_SERVICE_ADDR", "recommendationservice:8080"}
	redisAddress          = variable{"REDIS_ADDR", "redis:6379"}
	shippingAddress       = variable{"SHIPPING_SERVICE_ADDR", "shippingservice:50051"}
)

var apps = []app{
	{"adservice", 9555, 9555, server("9555")},
	{"checkoutservice", 5050, 5050, server("5050", cartAddress, currencyAddress, emailAddress, paymentAddress, productAddress, shippingAddress)},
	{"currencyservice", 7000, 7000, server("7000")},
	{"emailservice", 5000, 8080, server("8080")},
	{"paymentservice", 50051, 50051, server("50051")},
	{"recommendationservice", 8080, 8080, server("8080", productAddress)},
	{"frontend", 80, 8080, server("8080", adAddress, cartAddress, checkoutAddress, currencyAddress, productAddress, recommendationAddress, shippingAddress)},
	{"productcatalogservice", 3550, 3550, server("3550")},
	{"cartservice", 7070, 7070, []variable{redisAddress}},
	{"redis", 6379, 6379, nil},
	{"shippingservice", 50051, 50051, server("50051")},
	{"loadgenerator", 0, 0, []variable{frontendAddress, {"USERS", "10"}}},
}

// Apps are the names of the apps, in the order in which they are deployed.
func Apps() []string {
	names := make([]string, len(apps))
	for i, a := range apps {
		names[i] = a.Name
	}
	return names
}
