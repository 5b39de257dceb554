<?php
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
try {
    $db = new mysqli(getenv('BLOG_DB_HOST'), getenv('BLOG_DB_USER'),
        trim(file_get_contents(getenv('BLOG_DB_PASSWORD_FILE'))), getenv('BLOG_DB_NAME'));
} catch (mysqli_sql_exception $e) {
    http_response_code(500);
    exit("Error establishing a database connection\n");
}
$db->query('CREATE TABLE IF NOT EXISTS posts (id INT AUTO_INCREMENT PRIMARY KEY, title TEXT)');
if (isset($_GET['title'])) {
    $add = $db->prepare('INSERT INTO posts (title) VALUES (?)');
    $add->execute([$_GET['title']]);
}
echo php_sapi_name() . "\n";
foreach ($db->query('SELECT title FROM posts ORDER BY id') as $post) {
    echo htmlspecialchars($post['title']) . "\n";
}
