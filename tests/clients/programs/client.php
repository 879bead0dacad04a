<?php
$curl = curl_init("http://localhost:8000/");
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
foreach (array_slice($argv, 1) as $path) {
    curl_setopt($curl, CURLOPT_POSTFIELDS, ["file" => new CURLFile($path)]);
    $answer = curl_exec($curl);
    echo ($answer === false ? curl_error($curl) : $answer), "\n";
}
