package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	for _, path := range os.Args[1:] {
		photo, err := os.Open(path)
		if err != nil {
			log.Fatal(err)
		}
		response, err := http.Post("http://localhost:8000/", "image/jpeg", photo)
		if err != nil {
			log.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(text))
	}
}
